// Values that are other names for elements of another value.
#pragma once
#include <optional>
#include <vector>

#include "passes/rule.h"

namespace kiln::passes {

// A value that lies within `source`, as elements at equal distances along each axis.
struct ValueView {
  Value* source = nullptr;
  Dims dims, strides;        // in elements of `source`, which is dense and row-major
  int64_t offset = 0;        // of the first element
  std::vector<Node*> nodes;  // that make it of `source`, the last one first
};

// Through Reshape, Squeeze, Unsqueeze, Transpose and Gather by one number, as far up as all sizes are known and no element moves. Nothing
// where no such node makes the value, or it is empty.
std::optional<ValueView> view_of(Value* value);

// Whether the axes of more than one element lie at those distances.
bool has_strides(const ValueView& view, const Dims& strides);
// Sizes and strides of those axes, one behind the other: equal for views of the same elements in the same order.
Dims without_ones(const ValueView& view);

}  // namespace kiln::passes
