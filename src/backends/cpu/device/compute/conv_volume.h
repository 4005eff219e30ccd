// Convolutions of bytes over two dimensions or three.
#pragma once
#include "backends/cpu/device/compute/conv_nhwc.h"

namespace kiln::cpu {

// The slices of a volume are images that follow one another; an image is a volume of one.
struct VolumeShape : ConvShape {
  int64_t in_d = 1, kernel_d = 1, stride_d = 1, dilation_d = 1, pad_front = 0, pad_back = 0;

  int64_t out_d() const {
    const int64_t left = in_d + pad_front + pad_back - dilation_d * (kernel_d - 1) - 1;
    return left < 0 ? 0 : left / stride_d + 1;
  }
  int64_t windows() const { return batch * out_d() * out_h() * out_w(); }
};

}  // namespace kiln::cpu
