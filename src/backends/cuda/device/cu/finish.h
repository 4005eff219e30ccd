// Arguments of the kernels of cu/finish.cu.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"

namespace kiln::cuda {

inline constexpr int kFinishThreads = 256;  // of a block
inline constexpr int kFinishRuns = 2;       // of eight results, that a thread finishes

// y = activation(y) [+ residual] for `count` adjacent results; the bias is there already.
struct FinishArguments {
  EpilogueArguments epilogue;
  int64_t count;
};

}  // namespace kiln::cuda
