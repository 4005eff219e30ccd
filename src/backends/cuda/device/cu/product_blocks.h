// Arguments of the products with weights of few bits in blocks. Host and GPU.
#pragma once
#include <cstdint>

#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

// Terms and columns whose codes a warp multiplies at a time. A block has whole units; codes beyond its terms meet zeros.
inline constexpr int kBlockUnitTerms = 32, kBlockUnitColumns = 16;
constexpr int block_unit_words(int bits) { return kBlockUnitTerms * kBlockUnitColumns * bits / 32; }

// Rows and columns of a block of threads in units of 8 and 16; warps that share the terms, and warps that share the columns.
struct BlocksTile {
  int row_tiles, column_tiles, splits, column_warps, ahead;
  constexpr int rows() const { return row_tiles * 8; }
  constexpr int columns() const { return column_tiles * column_warps * kBlockUnitColumns; }
  constexpr int threads() const { return splits * column_warps * 32; }
};
inline constexpr BlocksTile kBlocksTiles[] = {{1, 1, 8, 1, 4}, {4, 1, 8, 1, 2}, {4, 2, 1, 4, 1}};
inline constexpr int kBlocksTileCount = 3;

// y[row, column] = sum over terms of x * (code - zero) * scale.
struct ProductBlocksArguments {
  const void* x;          // [rows, terms]
  const uint32_t* codes;  // [tiles of 16 columns, units, lanes of a warp, words of a lane]
  const float* scales;    // [tiles of 16 columns, blocks, 16]
  const uint8_t* zeros;   // the same
  void* y;                // [rows, columns]
  uint32_t rows, columns, terms, block, blocks, units;
  FastDivisor units_per_block;
  int32_t x_in_words, weights_are_constant;
};

}  // namespace kiln::cuda
