// Flatten: a matrix; axes before `axis` make the rows, the others the columns.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape flatten_shape(ShapeCall& c) {
  const Shape& dims = c.dims("input");
  const int64_t rank = c.rank("input"), axis = c.integer("axis");
  if (axis < -rank || axis > rank)
    throw Error(Code::kInvalidArgument,
                "Flatten at axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank));
  const auto middle = dims.begin() + (axis < 0 ? axis + rank : axis);
  return Shape{element_count(Shape(dims.begin(), middle)), element_count(Shape(middle, dims.end()))};
}

}  // namespace

const OpDef flatten = op("Flatten")
                          .input("input", kAnyType)
                          .attr("axis", int64_t{1})
                          .output("output", same_type("input"))
                          .shape(flatten_shape)
                          .elements(same_elements("input"))
                          .reference([](RefCall& c) { copy_all(c.input("input"), c.output()); });

}  // namespace kiln::ops
