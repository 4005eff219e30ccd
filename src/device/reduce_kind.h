// The reductions that kernels know.
#pragma once
#include <cstdint>

namespace kiln {

// Numbers are stored in engine files: append only.
enum class ReduceKind : uint8_t { kSum, kMean, kMax, kMin, kProduct, kL1, kL2, kSumSquares, kLogSum, kLogSumExp };
inline constexpr int kReduceKindCount = static_cast<int>(ReduceKind::kLogSumExp) + 1;

}  // namespace kiln
