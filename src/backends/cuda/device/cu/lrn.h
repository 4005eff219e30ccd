// Arguments of the kernel of cu/lrn.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kLrnThreads = 256;

// y = x / (bias + factor * sum of x^2 over the channels from `below` before to `above` behind)^beta.
struct LrnArguments {
  Walk<2> pixels;                    // all axes but the channels; operand 0: the result, 1: the source
  FastDivisor channels, count;       // channels; pixels
  int64_t to_channel, from_channel;  // elements between channels
  int32_t below, above;
  int32_t channels_first;  // neighbouring threads have neighbouring pixels, not channels
  float factor, bias, beta;
};

}  // namespace kiln::cuda
