// Arguments of the kernels of cu/pool_any.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kPoolAnyThreads = 128;  // of a block
inline constexpr int kPoolAnyAxes = 8;       // spatial dimensions

struct PoolAnyAxis {
  int64_t in, taps, stride, dilation, begin, end;  // begin, end: padding
};

// x of [planes, in...], y of [planes, out...].
struct PoolAnyArguments {
  uint32_t count;  // of the result
  int32_t axes;
  FastDivisor out[kPoolAnyAxes];
  PoolAnyAxis window[kPoolAnyAxes];
  int64_t plane;           // elements of a plane of x
  int32_t counts_padding;  // of a mean
  int32_t column_major;    // positions of maxima
  int32_t p;               // of a norm
};

}  // namespace kiln::cuda
