// Arguments of the kernels of cu/integer_product.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kIntegerThreads = 256;  // of a block
inline constexpr int kIntegerAxes = 8;       // spatial dimensions

// Bytes, and their zero points: one, or one for each index (step 1); null: zero.
struct IntegerOperand {
  const uint8_t *data, *zero;
  int32_t is_signed, zero_step;
};

// Sums as they are (int32), or quantized to bytes. A row is of the left operand, a column of the right one or a channel.
struct IntegerResult {
  void* data;
  const float *a_scale, *b_scale, *y_scale;  // null: int32
  const uint8_t* zero;
  const int32_t* bias;  // one for each column; may be null
  int32_t is_signed, a_step, b_step, y_step, zero_step;
};

// y[rows, columns] = a[rows, terms] * b[terms, columns] for each matrix of the batch.
struct IntegerProductArguments {
  uint32_t count;  // of the result
  uint32_t terms;
  FastDivisor rows, columns;
  Walk<3> batch;  // y, a, b
  IntegerOperand a, b;
  IntegerResult y;
};

struct IntegerConvAxis {
  int64_t in, taps, stride, dilation, begin;  // begin: padding
};

// x of [images, groups * channels, in...], w of [groups * outputs, channels, taps...], y of [images, groups * outputs, out...].
struct IntegerConvArguments {
  uint32_t count;  // of the result
  int32_t axes;
  FastDivisor out[kIntegerAxes], columns, outputs;  // columns: outputs of all groups
  IntegerConvAxis window[kIntegerAxes];
  int64_t groups, channels, plane, taps;  // plane: elements of a channel of x
  IntegerOperand x, w;
  IntegerResult y;
};

}  // namespace kiln::cuda
