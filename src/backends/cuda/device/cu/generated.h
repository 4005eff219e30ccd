// Arguments of generated pointwise kernels. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kGeneratedThreads = 128;

struct GeneratedOperand {
  int64_t strides[kMaxAxes] = {};  // of a step along each axis of the walk, in elements
  int64_t inner = 0;               // from one element to the next of the innermost axis
  char* data = nullptr;
};

// Inputs, then results. A kernel of fewer operands takes the front of the arguments.
template <int kOperands> struct GeneratedArguments {
  uint32_t count = 0;  // threads that have something to do
  int32_t axes = 0;
  uint32_t inner = 1;  // elements of the innermost axis, which may count groups of them
  FastDivisor dims[kMaxAxes];
  GeneratedOperand operands[kOperands];
};

}  // namespace kiln::cuda
