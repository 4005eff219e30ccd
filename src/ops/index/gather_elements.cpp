// GatherElements: elements of `data` along an axis, one for each element of `indices`.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape gather_elements_shape(ShapeCall& c) {
  c.axis("axis", c.rank("data"));
  if (c.rank("indices") != c.rank("data"))
    throw Error(Code::kShapeMismatch,
                "GatherElements of " + to_string(c.dims("data")) + " at " + to_string(c.dims("indices")))
        .cause("the ranks differ");
  return c.dims("indices");
}

void gather_elements_reference(RefCall& c) {
  const Tensor &data = c.input("data"), &indices = c.input("indices");
  const auto axis = static_cast<size_t>(c.axis("axis", data.rank()));
  const Dims strides = row_major_strides(data.dims());
  for (size_t k = 0; k < strides.size(); ++k)
    if (k != axis && indices.dims()[k] > data.dims()[k])
      throw Error(Code::kShapeMismatch, "GatherElements of " + data.type_string() + " at " + indices.type_string());
  if (indices.size() == 0) return;
  std::vector<int64_t> positions;
  Dims index(indices.dims().size(), 0);
  do {
    Dims from = index;
    from[axis] =
        checked_index(indices.int_at(static_cast<int64_t>(positions.size())), data.dims()[axis], "GatherElements");
    positions.push_back(dot(from, strides));
  } while (advance(index, indices.dims()));
  pick(data, positions, c.output());
}

}  // namespace

const OpDef gather_elements = op("GatherElements")
                                  .input("data", kAnyType)
                                  .input("indices", kIndexTypes)
                                  .attr("axis", int64_t{0})
                                  .output("output", same_type("data"))
                                  .shape(gather_elements_shape)
                                  .reference(gather_elements_reference);

}  // namespace kiln::ops
