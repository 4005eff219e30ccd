// Arguments of the convolutions with moved taps. Host and GPU.
#pragma once
#include <cstdint>

#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

// Results of a block: places of an image, and output channels of a group; and terms at a time.
inline constexpr int kDeformPlaces = 64, kDeformColumns = 64, kDeformTerms = 16, kDeformThreads = 256;

struct DeformArguments {
  const void *x, *w, *offset, *bias, *mask;  // the last two may be null
  void* y;
  uint32_t channels, columns;  // of one group
  uint32_t groups, terms;      // terms: channels of a group times taps
  uint32_t places;             // of a result
  int32_t height, width;
  int32_t stride_h, stride_w, dilation_h, dilation_w, top, left;
  FastDivisor column_tiles, out_width, taps, taps_w;
  FastDivisor offset_channels;  // channels of x that share offsets
  uint32_t offset_groups;
};

}  // namespace kiln::cuda
