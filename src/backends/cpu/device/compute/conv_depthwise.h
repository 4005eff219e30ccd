// Depthwise convolution on NHWC float32.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/epilogue.h"
#include "backends/cpu/device/compute/nhwc.h"

namespace kiln::cpu {

struct DepthwiseShape {
  int64_t batch = 1, height = 1, width = 1, channels = 1, out_height = 1, out_width = 1;
  Window2d window;
};

// [channels, 1, kernel_h, kernel_w] to [kernel_h, kernel_w, channels].
void pack_depthwise_weights(const float* weights, int64_t channels, int64_t kernel_h, int64_t kernel_w,
                            float* packed) noexcept;
// Rows of the epilogue are output pixels, numbered through all images.
void conv_depthwise(const DepthwiseShape& shape, const float* x, PixelStrides x_strides, const float* packed, float* y,
                    PixelStrides y_strides, const Epilogue& epilogue, int threads) noexcept;

}  // namespace kiln::cpu
