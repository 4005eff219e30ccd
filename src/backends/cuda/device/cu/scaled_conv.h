// Arguments of 1x1 convolutions of images times a factor for each channel of each image. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kScaledThreads = 384;
inline constexpr int kScaledRun = 32;   // terms that four lanes of a warp have of a row, and columns that they finish
inline constexpr int kScaledWords = 4;  // squares of 16 rows times runs of terms that a warp has on their way
inline constexpr int kScaledSquares[] = {1, 2, 4};  // of a warp
inline constexpr int kMostScaledTerms = 1 << 16;
// Whether a warp has registers for so many runs of columns of its squares.
constexpr bool has_scaled_tile(int squares, int runs) { return squares * runs <= kScaledWords; }

// Bytes between the rows of weights in shared memory: such that four lanes' parts of two rows meet all banks.
#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr uint32_t
    scaled_row_bytes(uint32_t term_runs) {
  return (term_runs | 1) * kScaledRun * 2;
}

// Rows are pixels, columns output channels, terms the channels of x: whole words of 16 bytes.
struct ScaledConvArguments {
  EpilogueArguments epilogue;
  const void* x;
  const void* weights;  // [columns, terms]
  const void* factors;
  void* y;
  int64_t from_pixel, to_pixel;  // elements
  uint32_t from_factors;         // elements between the factors of neighbouring images
  uint32_t pixels, columns, terms;
  uint32_t term_runs;  // the last may not be whole
  FastDivisor image;   // pixels of an image
  int32_t weights_are_constant;
};

}  // namespace kiln::cuda
