// Arguments of the kernels of cu/rotary.cu.
#pragma once
#include "backends/cuda/device/cu/attention.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kRotaryThreads = 128;  // of a block

// Pairs of elements of each head are turned by the angle of their position; the elements behind the pairs stay as they are.
struct RotaryArguments {
  uint32_t count;                   // threads: one for each pair, and for each element behind the pairs
  FastDivisor width, heads, steps;  // width: threads of a head
  uint32_t pairs;
  int32_t interleaved;
  HeadStrides x_at, y_at;
  int64_t positions;
};

}  // namespace kiln::cuda
