// What the profiles of a plan say about the values of its dimension programs.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace kiln::plan {

// Values of Plan::dims; nothing where a program depends on what is known only while running, or has no value.
using DimValues = std::vector<std::optional<int64_t>>;

// Symbols that the shapes of the main program's inputs give: every dimension that is one symbol, and "<input name>.<axis>".
std::set<std::string> bound_symbols(const Plan& plan);
// Without any symbol: the constant ones.
DimValues constant_dims(const Plan& plan);
// Whether a view of these dimensions lies inside its parent when it begins at `start`.
bool lies_inside(const TensorInfo& view, const Dims& dims, const Dims& parent, int64_t start);
// Calls `visit` at the smallest, best and largest shapes of every profile. The profiles must fit the inputs.
void for_each_corner(const Plan& plan, const std::function<void(const DimValues&)>& visit);

}  // namespace kiln::plan
