// Compress: the slices along an axis, or the elements of the flattened input, for which the condition holds.
#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape compress_shape(ShapeCall& c) {
  if (!c.has_attr("axis")) return Shape{c.unknown_dim(0, 0)};
  Shape result = c.dims("input");
  const int64_t axis = c.axis("axis", c.rank("input"));
  nth(result, axis) = c.unknown_dim(0, static_cast<int>(axis));
  return result;
}

void compress_reference(RefCall& c) {
  const Tensor input = c.has_attr("axis") ? c.input("input") : c.input("input").reshaped({c.input("input").size()});
  const auto axis = static_cast<size_t>(c.axis("axis", input.rank()));
  const Ints condition = integers(c.input("condition"));
  const int64_t extent = input.dims()[axis];
  std::vector<int64_t> kept;
  for (size_t i = 0; i < condition.size(); ++i) {
    if (!condition[i]) continue;
    if (static_cast<int64_t>(i) >= extent)
      throw Error(Code::kShapeMismatch, "Compress with a condition longer than the axis of " + std::to_string(extent));
    kept.push_back(static_cast<int64_t>(i));
  }
  const int64_t outer = product(input.dims(), 0, axis), inner = product(input.dims(), axis + 1, input.dims().size());
  std::vector<int64_t> positions;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t k : kept)
      for (int64_t i = 0; i < inner; ++i) positions.push_back((o * extent + k) * inner + i);
  Dims dims = input.dims();
  dims[axis] = static_cast<int64_t>(kept.size());
  c.set_output(0, picked(input, positions, dims));
}

}  // namespace

const OpDef compress = op("Compress")
                           .input("input", kAnyType)
                           .input("condition", kBoolType)
                           .attr("axis", int64_t{0})
                           .output("output", same_type("input"))
                           .shape(compress_shape)
                           .reference(compress_reference);

}  // namespace kiln::ops
