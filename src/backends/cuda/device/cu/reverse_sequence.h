// Arguments of the kernels of cu/reverse_sequence.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kReverseThreads = 256;  // of a block

// Of [first, second, run] words, of which first and second are time and batch or the reverse.
struct ReverseSequenceArguments {
  uint32_t count;  // words
  FastDivisor second, run;
  int64_t steps;  // of time
  int32_t time_first;
};

}  // namespace kiln::cuda
