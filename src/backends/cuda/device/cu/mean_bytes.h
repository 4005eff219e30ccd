// Arguments of the kernels of cu/mean_bytes.cu.
#pragma once
#include "backends/cuda/device/cu/byte_numbers.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kMeanThreads = 256;  // of a block

struct MeanBytesArguments {
  Walk<4> results;      // y, the first pixel of x, row, column
  FastDivisor columns;  // of a window
  int32_t shares;       // threads of a result, a power of two
  int64_t from_row, from_column;
  int64_t height, width, taps;  // of x; taps: of a window
  int64_t stride_h, stride_w, dilation_h, dilation_w, top, left, bottom, right;
  int32_t counts_padding;
  float factor;
  ByteNumbers x, y;
};

}  // namespace kiln::cuda
