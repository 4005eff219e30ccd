// Arguments of the kernels of cu/cumulative_late.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kLateLineThreads = 128;  // of a block

// Running sums or products along the axis that the device reads.
struct LateCumulativeArguments {
  int64_t count;  // elements
  int32_t rank;
  int64_t dims[kMaxAxes];
  int32_t product, exclusive, reverse;
  int32_t wide_axis;  // int64, not int32
};

}  // namespace kiln::cuda
