// Arguments of the Fourier transforms. Host and GPU.
#pragma once
#include <cstdint>

#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kDftThreads = 128;  // of a block, each with one frequency of a line

// [outer, given, inner, parts] becomes [outer, made, inner, made_parts].
struct DftArguments {
  uint32_t length, given, made;
  FastDivisor tiles, inner;  // blocks of a line
  int32_t parts, made_parts;
  int32_t mirrors;  // the source is the first half of a line whose second half is its conjugate
  double factor;
};

}  // namespace kiln::cuda
