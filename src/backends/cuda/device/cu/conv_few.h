// Arguments of the convolutions of few channels, such as those of pictures. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/conv.h"

namespace kiln::cuda {

inline constexpr int kFewChannels = 4;  // each pixel counts as so many, with zeros where there are fewer
inline constexpr int kFewWarps = 4, kFewThreads = kFewWarps * 32;
// A block's tile: rows of pixels of the result, each of so many pixels, and columns.
inline constexpr int kFewLines[] = {8, 16}, kFewAcross = 16, kFewColumns[] = {32, 64};
// Blocks of a multiprocessor that there are registers for.
constexpr int few_blocks(int columns, int lines) { return columns * lines <= 256 ? 4 : columns * lines <= 512 ? 3 : 2; }
inline constexpr int kFewStepBytes = 32;  // of a row of terms that are multiplied at a time

// A block holds the weights of its columns, and one patch of the source after the other. Terms are the channels of one tap after
// the other.
struct ConvFewArguments {
  ConvGeometry g;
  EpilogueArguments epilogue;
  const void* x;
  const void* weights;  // [column tiles, rows of a tile, row_bytes], rows in the order of channel_of_row
  void* y;
  int64_t from_channel;  // elements of the source
  int32_t out_height, out_width;
  uint32_t tiles;
  FastDivisor tiles_w, tiles_h;
  uint32_t steps, row_bytes;  // an odd number of pieces: a column of pieces meets all banks
  FastDivisor patch_columns, tap_columns;
  uint32_t patch_rows;
  int32_t weights_are_constant;
};

}  // namespace kiln::cuda
