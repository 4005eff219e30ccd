// Elements of integer tensors as expressions, carried through pointwise operators, so that shape arithmetic folds.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "ops/op.h"

namespace kiln::ops {

using Elements = std::optional<std::vector<Dim>>;

// One output element from the elements of all present inputs; nothing when it cannot be told.
using ElementFunction = std::function<std::optional<Dim>(std::span<const Dim>)>;

// Applies `function` to the broadcast elements of the present inputs. Nothing unless each is a small int32, int64 or bool tensor
// of known shape whose elements are known.
OpDef::ElementRule elementwise(ElementFunction function);

bool is_positive(const Dim& d);                          // for every value of its symbols
std::optional<Dim> is_less(const Dim& a, const Dim& b);  // 1, 0 or nothing when it depends on the symbols
std::optional<Dim> is_equal(const Dim& a, const Dim& b);
std::optional<Dim> inverted(const std::optional<Dim>& condition);
std::optional<Dim> truncated_quotient(const Dim& a, const Dim& b);  // nothing unless b is positive, or both are numbers

}  // namespace kiln::ops
