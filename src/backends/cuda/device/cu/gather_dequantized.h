// Arguments of the kernels of cu/gather_dequantized.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kGatherCodesThreads = 256;  // of a block

// Axes of a table of integers of 2, 4 or 8 bits. Of the result, `axis` is as long as there are indices. Strides per axis: of the table, of
// its scales and of its zero points, which count indices along `block_axis` in blocks.
struct GatherDequantizedArguments {
  uint32_t count;  // of the result
  int32_t axes, axis, block_axis;
  int32_t bits, flip;  // of an integer; what turns codes into numbers without sign
  int64_t extent;      // of the table along `axis`
  FastDivisor block, dims[kMaxAxes];
  int64_t table_strides[kMaxAxes], scale_strides[kMaxAxes], zero_strides[kMaxAxes];
};

}  // namespace kiln::cuda
