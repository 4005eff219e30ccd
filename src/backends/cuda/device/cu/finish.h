// Arguments of the kernels of cu/finish.cu.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"

namespace kiln::cuda {

inline constexpr int kFinishThreads = 256;  // of a block
inline constexpr int kFinishRuns = 2;       // of eight results, that a thread finishes

// y = activation(y [+ bias] [+ residual]) [+ residual] for `count` adjacent results.
struct FinishArguments {
  EpilogueArguments epilogue;
  int64_t count;
  int64_t columns;  // that the bias has
};

}  // namespace kiln::cuda
