// Arguments of the quantization by the range of a tensor. Host and GPU.
#pragma once
#include <cstdint>

namespace kiln::cuda {

inline constexpr int kRangeThreads = 256;
inline constexpr int kMostRangeBlocks = 256;  // each has a part of the range

struct DynamicQuantizeArguments {
  const float* x;
  float* lows;  // of as many parts as there are blocks in the first kernel; the highs behind them
  uint8_t* y;
  float* scale;         // may be null
  uint8_t* zero_point;  // may be null
  uint32_t count, parts;
};

}  // namespace kiln::cuda
