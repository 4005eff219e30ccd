// Arguments of the kernels of cu/pool.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

// Numbers are stored in engine files: append only.
enum class PoolKind : uint8_t { kMax, kAverage, kAverageWithPadding };

inline constexpr int kPoolThreads = 128;

struct PoolArguments {
  // Of the results, by [batch, row, column, group of channels]; strides in elements.
  Walk<1> to;
  FastDivisor groups, columns, rows;
  int64_t from_batch, from_row, from_column, from_group;
  int32_t height, width;  // of the source
  int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left, bottom, right;
};

}  // namespace kiln::cuda
