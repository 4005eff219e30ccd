// Arguments of means over all pixels of images whose channels lie innermost. Host and GPU.
#pragma once
#include <cstdint>

namespace kiln::cuda {

inline constexpr int kPixelMeanThreads = 256;
inline constexpr int kMostPixelMeanLanes = 8;  // threads side by side: a power of two

// A block has a slice of channels of some of the pixels of an image: blockIdx is slice, part, image.
struct PixelMeanArguments {
  int64_t from_image, from_pixel;  // elements
  int64_t to_image, to_channel;    // elements of the result
  uint32_t pixels, channels;
  uint32_t lanes;  // threads side by side
  uint32_t parts;  // of the pixels; sums of several parts go to `sums`, [image, part, channel]
  float* sums;
};

}  // namespace kiln::cuda
