// Products whose constant weights may be kept in 16 bits.
#pragma once
#include <string_view>

#include "passes/pass.h"

namespace kiln::passes {

inline constexpr std::string_view kNarrowWeights = "narrow_weights";  // what switches it off

// Marks them (Node::keeps): float16 or bfloat16 holds all numbers of the weights; or the build may compute in `compute`, the node is not to
// compute in float32, and no number overflows. Those that overflow stay wide, and a warning says so.
void mark_narrow_weights(Graph& graph, DType compute, PassContext& context);

}  // namespace kiln::passes
