// Arguments of squeeze-and-excite. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"

namespace kiln::cuda {

// Threads of a block: many for large images, few where blocks that wait for each other should be many.
inline constexpr int kSqueezeThreads[] = {256, 512};
constexpr int squeeze_blocks(int threads) {
  return 1024 / threads;
}  // of a multiprocessor, for which there are registers
inline constexpr int kMostSqueezeBlocks = 8;

// The blocks of a cluster share one image after the other: slices of its channels times parts of its pixels. Words are 16 bytes.
struct SqueezeExciteArguments {
  EpilogueArguments squeezed, excited;  // bias and activation
  const void* x;
  const void* squeeze;  // [hidden, words]
  const void* excite;   // [channels, excite_words]
  void* y;
  int64_t from_pixel, to_pixel;    // elements; the pixels of all images lie at equal distances
  uint32_t images, pixels, words;  // pixels of an image, words of a pixel
  uint32_t hidden, excite_words;   // elements between the products; words of them
  uint32_t blocks, slices;         // of a cluster
  uint32_t kept_words;             // of a block's part of x in shared memory; 0: it is read twice
  uint32_t ahead;         // so many images later one is copied there: 1, the next, which has its own place; 0: none
  uint32_t weight_words;  // of a block's weights in shared memory; 0: they are read where they are
  uint32_t slice_words;   // of a pixel, at most, in a slice
  int32_t weights_are_constant;
  // Of kernels that are given the sums of pixels, [image, part, channel], and store factors alone: there are as many slices as blocks.
  const float* sums;
  uint32_t parts;
  int64_t to_image;  // elements between the factors of neighbouring images
};

inline constexpr int kFactorThreads = 512;

// Words of a row of the second product's weights in shared memory: an odd number, such that a column of words meets all banks.
#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr uint32_t
    squeeze_row_words(uint32_t excite_words) {
  return excite_words | 1;
}

// Floats of a block in shared memory, behind x and weights: sums of threads, of groups of them, means, factors, what the blocks of the
// cluster send for two images in turn, and the elements between the products in whole words.
struct SqueezeFloats {
  uint32_t sums, groups, channels, parts, hidden;
  constexpr uint32_t count() const { return sums + groups + 2 * channels + parts + hidden; }
};
#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr SqueezeFloats
    squeeze_floats(uint32_t threads, uint32_t slice_words, uint32_t lanes, uint32_t hidden, uint32_t excite_words,
                   uint32_t blocks) {
  const uint32_t channels = slice_words * lanes;
  return {threads * lanes, channels > threads ? channels : threads, channels, (2 * blocks * hidden + 3) / 4 * 4,
          excite_words * lanes};
}

}  // namespace kiln::cuda
