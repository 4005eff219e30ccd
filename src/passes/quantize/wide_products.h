// Products of a quantized network that stay in wide types, and why; and scales that are none.
#pragma once
#include <string>
#include <vector>

#include "passes/rule.h"

namespace kiln::passes {

// A line for each: "'fc1' (Gemm) stays in float32: the weights are not dequantized". None for a network without quantized values.
std::vector<std::string> wide_products(const Graph& graph, const PassOptions& options);

// A line for each constant scale that is zero, negative, subnormal or not finite.
std::vector<std::string> unsound_scales(const Graph& graph);

}  // namespace kiln::passes
