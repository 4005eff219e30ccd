// ScatterND: a copy of `data` in which slices, chosen by index tuples, are replaced by or combined with `updates`.
#include "base/error.h"
#include "ops/index/scatter.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape scatter_nd_shape(ShapeCall& c) {
  check_reduction(c);
  const Shape& indices = c.dims("indices");
  if (indices.empty() || (indices.back().is_constant() && indices.back().value() > c.rank("data")))
    throw Error(Code::kShapeMismatch, "ScatterND of " + to_string(c.dims("data")) + " at " + to_string(indices))
        .cause("an index names more axes than there are");
  return c.dims("data");
}

void scatter_nd_reference(RefCall& c) {
  const Tensor &data = c.input("data"), &indices = c.input("indices");
  const auto depth = static_cast<size_t>(indices.dims().back());
  const Dims strides = row_major_strides(data.dims());
  const int64_t run = product(data.dims(), depth, data.dims().size());
  const int64_t tuples = product(indices.dims(), 0, indices.dims().size() - 1);
  std::vector<int64_t> positions;
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t start = 0;
    for (size_t k = 0; k < depth; ++k)
      start += strides[k] * checked_index(indices.int_at(t * static_cast<int64_t>(depth) + static_cast<int64_t>(k)),
                                          data.dims()[k], "ScatterND");
    for (int64_t i = 0; i < run; ++i) positions.push_back(start + i);
  }
  scatter(c, positions);
}

}  // namespace

const OpDef scatter_nd = op("ScatterND")
                             .input("data", kAnyType)
                             .input("indices", DType::kI64)
                             .input("updates", kAnyType, "data")
                             .attr("reduction", std::string("none"))
                             .output("output", same_type("data"))
                             .shape(scatter_nd_shape)
                             .reference(scatter_nd_reference)
                             .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
