// Arguments of the kernels of cu/conv_any.cu: convolutions and products between tensors of any strides. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kAnyThreads = 256;
inline constexpr int kAnySide = 64;   // rows and columns of a block's tile
inline constexpr int kAnyDepth = 16;  // terms at a time

// y[item, row, column] = sum over terms of x[item, row, term] * w[item, term, column]. Items are groups or leading axes. A row is a
// pixel of the result, a term a channel under a window; a plain product has a window of one. Strides in elements.
struct ConvAnyArguments {
  Walk<4> items;  // operands: y, x, w, residual
  Walk<2> rows;   // operands: y, residual
  const void *x, *w, *bias, *residual;
  void* y;
  uint32_t columns, terms;
  int64_t y_column, residual_column, w_column, w_channel, w_tap_h, w_tap_w;
  int64_t x_batch, x_row, x_pixel, x_channel;
  FastDivisor out_plane, out_width, channels, taps_w;
  int32_t height, width, stride_h, stride_w, dilation_h, dilation_w, top, left;
  int32_t bias_is_float, bias_per_item;  // the bias is float32, or like x; it has columns for each item
  float factor;                          // of the sum
  int32_t residual_after;
  float alpha, beta;
  Activation activation;
};

}  // namespace kiln::cuda
