// Arguments of the products of few rows. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/epilogue.h"

namespace kiln::cuda {

inline constexpr int kSkinnyWarps = 4, kSkinnyThreads = kSkinnyWarps * 32;  // each warp has a column
inline constexpr int kSkinnyRows = 8;                                       // of a block, at most

struct SkinnyArguments {
  EpilogueArguments epilogue;
  const void* x;
  const void* weights;  // [columns, words of 16 bytes]
  void* y;
  int64_t from_row, to_row;  // elements
  uint32_t rows, columns, terms, words;
  int32_t source_in_words;
  int32_t weights_are_constant;
};

}  // namespace kiln::cuda
