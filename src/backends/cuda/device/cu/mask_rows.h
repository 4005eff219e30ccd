// Arguments of the kernels of cu/mask_rows.cu.
#pragma once
#include "backends/cuda/device/cu/attention.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kMaskThreads = 256, kMaskRows = kMaskThreads / 32;  // of a block

// Scores below are beyond float32 when they are multiplied by log2(e).
inline constexpr float kDeepMask = -1.7014118346046923e38f;  // -2^127

// What is added to scores, from a mask of [batch, heads, queries, keys], as rows one behind the other.
struct MaskRowsArguments {
  uint32_t rows;
  int32_t keys;
  FastDivisor queries, heads;
  HeadStrides at;
  int64_t key_at;  // elements between keys
  int32_t causal;  // a query sees the keys up to its own position
};

}  // namespace kiln::cuda
