// The reductions that kernels know.
#pragma once
#include <cstdint>

namespace kiln {

// Numbers are stored in engine files: append only.
enum class ReduceKind : uint8_t { kSum, kMean, kMax, kMin, kProduct, kL1, kL2, kSumSquares, kLogSum, kLogSumExp };
// Integers stay integers.
constexpr bool is_exact(ReduceKind kind) {
  return kind == ReduceKind::kSum || kind == ReduceKind::kMax || kind == ReduceKind::kMin ||
         kind == ReduceKind::kProduct || kind == ReduceKind::kL1 || kind == ReduceKind::kSumSquares;
}
inline constexpr int kReduceKindCount = static_cast<int>(ReduceKind::kLogSumExp) + 1;

}  // namespace kiln
