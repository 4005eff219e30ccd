// Expand: broadcasts the input against a shape, in both directions.
#include <algorithm>

#include "ops/broadcasting.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {
namespace {

OutputShape expand_shape(ShapeCall& c) {
  if (auto shape = partial_elements(c, "shape")) {
    const auto rank = static_cast<int>(std::max(shape->size(), c.dims("input").size()));
    const int shift = rank - static_cast<int>(shape->size());
    for (size_t i = 0; i < shape->size(); ++i)
      if (is_unknown_element((*shape)[i])) (*shape)[i] = c.unknown_dim(0, shift + static_cast<int>(i));
    return broadcast_shapes(c.dims("input"), *shape);
  }
  auto rank = static_length(c, "shape");
  return rank ? OutputShape(c.unknown_shape(0, std::max(*rank, c.rank("input")))) : unranked();
}

std::optional<std::vector<Dim>> expand_elements(ShapeCall& c) {
  auto elements = few_elements(c, "input");
  auto shape = c.int_values("shape");
  if (!elements || !shape || !is_static(c.dims("input"))) return std::nullopt;
  const Dims from = static_dims(c.dims("input")), to = broadcast(from, *shape);
  if (element_count(to) > kMaxElements) return std::nullopt;
  return pick(*elements, strided_positions(0, to, broadcast_strides(from, to)));
}

void expand_reference(RefCall& c) {
  const Tensor& input = c.input("input");
  pick(input, strided_positions(0, c.output().dims(), broadcast_strides(input.dims(), c.output().dims())), c.output());
}

}  // namespace

const OpDef expand = op("Expand")
                         .input("input", kAnyType)
                         .input("shape", DType::kI64)
                         .output("output", same_type("input"))
                         .shape(expand_shape)
                         .elements(expand_elements)
                         .reference(expand_reference);

}  // namespace kiln::ops
