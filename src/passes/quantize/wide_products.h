// Products of a quantized network that stay in wide types, and why; and scales that are none.
#pragma once
#include <string>
#include <vector>

#include "passes/pass.h"

namespace kiln::passes {

// Says of each why it stays. Nothing of a network without quantized values.
void note_wide_products(const Graph& graph, PassContext& context);

// A line for each constant scale that is zero, negative, subnormal or not finite.
std::vector<std::string> unsound_scales(const Graph& graph);

}  // namespace kiln::passes
