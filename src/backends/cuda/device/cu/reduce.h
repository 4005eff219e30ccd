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

// Blocks share the terms of each result: a block makes one part of `width` results.
struct ReducePartsArguments {
  ReduceArguments reduce;
  FastDivisor parts;
  uint32_t chunk;  // terms of a part
  uint32_t width;  // results whose sources are adjacent; 1 where they are not
  int64_t step;    // elements of the source between terms; 0: as `reduce.reduced` says
};
inline constexpr int kMostReduceWidth = 32;

}  // namespace kiln::cuda
