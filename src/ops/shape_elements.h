// Elements of integer tensors as expressions, carried through pointwise operators, so that shape arithmetic folds.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "ops/op.h"

namespace kiln::ops {

using Elements = std::optional<std::vector<Dim>>;

// An element that only running can tell: any integer, also a negative one, so that no arithmetic says anything about it. It never
// becomes part of a shape. `k` counts the elements of the node's result.
Dim unknown_element(const ShapeCall& c, int64_t k);
bool is_unknown_element(const Dim& element);
bool has_unknown_element(const std::vector<Dim>& elements);
// Elements of an integer input, unknown ones among them; nothing when all are unknown.
Elements partial_elements(const ShapeCall& c, int index);
Elements partial_elements(const ShapeCall& c, std::string_view input);

// One output element from the elements of all present inputs; nothing when it cannot be told.
using ElementFunction = std::function<std::optional<Dim>(std::span<const Dim>)>;

// Applies `function` to the broadcast elements of the present inputs. Nothing unless each is a small int32, int64 or bool tensor
// of known shape with known elements among its own; what depends on the others is unknown.
OpDef::ElementRule elementwise(ElementFunction function);

bool is_positive(const Dim& d);                          // for every value of its symbols
std::optional<Dim> is_less(const Dim& a, const Dim& b);  // 1, 0 or nothing when it depends on the symbols
std::optional<Dim> is_equal(const Dim& a, const Dim& b);
std::optional<Dim> inverted(const std::optional<Dim>& condition);
std::optional<Dim> truncated_quotient(const Dim& a,
                                      const Dim& b);  // nothing unless b cannot be negative, or both are numbers

}  // namespace kiln::ops
