// Arguments of the kernels of cu/fill.cu, whose results hold few different elements.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kFillThreads = 256;  // of a block
inline constexpr int kFillBytes = 16;     // that a thread of "fill" writes

// Of a matrix, ones on diagonal k.
struct EyeArguments {
  uint32_t count;
  FastDivisor columns;
  int64_t k;
};

// Of [matrices, rows, columns].
struct TriluArguments {
  uint32_t count;
  FastDivisor rows, columns;
  int32_t upper;
};

// Of [outer, depth, inner], the second of two values where indices [outer, inner], counted from the end when negative, name the place.
struct OneHotArguments {
  uint32_t count;
  FastDivisor depth, inner;
};

}  // namespace kiln::cuda
