// Arguments of products of every pixel of an image with the image's own row of channels. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kScaleThreads = 128;
inline constexpr int kScalePixels = 4;  // of a thread

// A thread's place is, innermost first: a word of channels, a run of pixels, an image.
struct ScalePixelsArguments {
  int64_t from_pixel, to_pixel, from_row;  // elements: between pixels, and between the rows of factors
  uint32_t count;                          // threads that have a place
  uint32_t pixels;                         // of an image
  FastDivisor words, runs;
};

}  // namespace kiln::cuda
