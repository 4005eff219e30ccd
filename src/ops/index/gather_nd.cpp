// GatherND: slices of `data` chosen by index tuples; the first batch_dims axes of both run together.
#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape gather_nd_shape(ShapeCall& c) {
  const Shape &data = c.dims("data"), &indices = c.dims("indices");
  const int64_t batch = c.integer("batch_dims");
  const std::string what =
      "GatherND of " + to_string(data) + " at " + to_string(indices) + " with batch_dims=" + std::to_string(batch);
  if (indices.empty() || batch < 0 || batch >= c.rank("indices") || batch >= c.rank("data"))
    throw Error(Code::kShapeMismatch, what);
  if (!indices.back().is_constant()) return unranked();
  const int64_t depth = indices.back().value();
  if (batch + depth > c.rank("data"))
    throw Error(Code::kShapeMismatch, what).cause("an index names more axes than there are");
  Shape result;
  for (int64_t i = 0; i < batch; ++i) result.push_back(same_dim(nth(data, i), nth(indices, i), what));
  result.insert(result.end(), indices.begin() + batch, indices.end() - 1);
  result.insert(result.end(), data.begin() + batch + depth, data.end());
  return result;
}

void gather_nd_reference(RefCall& c) {
  const Tensor &data = c.input("data"), &indices = c.input("indices");
  const auto batch = static_cast<size_t>(c.integer("batch_dims")), depth = static_cast<size_t>(indices.dims().back());
  const Dims strides = row_major_strides(data.dims());
  const int64_t batches = product(data.dims(), 0, batch),
                tuples = product(indices.dims(), batch, indices.dims().size() - 1);
  const int64_t batch_size = product(data.dims(), batch, data.dims().size()),
                run = product(data.dims(), batch + depth, data.dims().size());
  int64_t next = 0, to = 0;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t t = 0; t < tuples; ++t, to += run) {
      int64_t from = b * batch_size;
      for (size_t k = 0; k < depth; ++k)
        from += strides[batch + k] * checked_index(indices.int_at(next++), data.dims()[batch + k], "GatherND");
      copy_elements(data, from, c.output(), to, run);
    }
}

}  // namespace

const OpDef gather_nd = op("GatherND")
                            .input("data", kAnyType)
                            .input("indices", DType::kI64)
                            .attr("batch_dims", int64_t{0})
                            .output("output", same_type("data"))
                            .shape(gather_nd_shape)
                            .reference(gather_nd_reference);

}  // namespace kiln::ops
