// Arguments of the kernels of cu/reduce.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"
#include "device/reduce_kind.h"

namespace kiln::cuda {

inline constexpr int kReduceThreads = 256;

// For each element of `kept` (operand 0 the result, 1 the source) all of `reduced` (operand 0 the source).
struct ReduceArguments {
  ReduceKind kind;
  Walk<2> kept;
  Walk<1> reduced;
  double count;  // elements of which one result is made
};

}  // namespace kiln::cuda
