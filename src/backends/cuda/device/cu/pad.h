// Arguments of the kernels of cu/pad.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kPadAxisThreads = 256;  // of a block

enum class PadMode : int32_t { kConstant, kEdge, kReflect, kWrap };

// Axes of the result, outermost in memory first; strides in elements.
struct PadArguments {
  uint32_t count;  // elements of the result
  int32_t axes;
  PadMode mode;
  FastDivisor dims[kMaxAxes];
  int64_t before[kMaxAxes], extents[kMaxAxes], from_strides[kMaxAxes], to_strides[kMaxAxes];
};

}  // namespace kiln::cuda
