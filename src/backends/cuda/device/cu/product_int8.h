// Arguments of products of two matrices of bytes that only running tells. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/sums.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kBytePairTile = 64;  // rows and columns of a block
inline constexpr int kBytePairThreads = 128;

// Dense matrices a [rows, terms], b [terms, columns] and y [rows, columns], so many of each as the grid has tiles for.
struct ProductInt8Arguments {
  SumArguments sums;
  const uint8_t* a;
  const uint8_t* b;
  void* y;
  uint32_t rows, columns, terms;
  FastDivisor tiles, column_tiles;  // of a matrix of results, of its rows
  uint32_t flip;                    // four times what makes a byte of b signed: 0, or 128 where it is less by that
  int32_t a_in_words, b_in_words;   // rows of a are aligned pieces of 16 bytes, of b words of four
};

}  // namespace kiln::cuda
