// Arguments of the kernels of cu/gather.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kGatherThreads = 256;

// y[o, k, i] = x[o, indices[k], i] with x of [outer, extent, inner] words. An index outside of the axis gives zeros.
struct GatherArguments {
  uint32_t count;  // words of the result
  FastDivisor inner, indices;
  int64_t extent;
  int32_t constant_indices;  // they may be read before the inputs are there
};

}  // namespace kiln::cuda
