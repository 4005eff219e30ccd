// What rules ask about nodes of float16 and bfloat16.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

inline bool is_half(DType type) { return type == DType::kF16 || type == DType::kBF16; }
// Whether the node does arithmetic, or compares, for which kernels want float32; pointwise operators round by themselves, and others only
// move elements.
bool computes(const Node& node);

}  // namespace kiln::passes
