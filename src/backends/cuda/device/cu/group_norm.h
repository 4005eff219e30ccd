// Arguments of the kernels of cu/group_norm.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kGroupThreads = 512;  // of a block, which normalises one group of one image

// y = (x - mean) / sqrt(variance + epsilon) * scale[channel] + bias[channel]; mean and variance are of `channels` channels of `pixels` pixels.
struct GroupNormArguments {
  int64_t batch_stride, channel_stride, pixel_stride;  // elements; of x and y alike
  int64_t pixels;
  FastDivisor groups, inner;  // inner: pixels, or channels of a group where these are adjacent
  uint32_t channels;          // of a group
  int32_t channels_last;
  float epsilon;
};

}  // namespace kiln::cuda
