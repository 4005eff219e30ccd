// Arguments of the kernels of cu/copy.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kCopyThreads = 256;
inline constexpr int kTileSide = 32;  // of a square that is transposed through shared memory

// Operand 0 is the result.
using CopyLoop = Walk<2>;

// Squares of `rows` x `columns`: the source runs along rows, the result along columns; the other axes are in `outer`.
struct TransposeArguments {
  CopyLoop outer;
  uint32_t rows, columns;
  int64_t from_column;  // elements of the source between columns
  int64_t to_row;       // elements of the result between rows
  FastDivisor row_tiles, column_tiles;
};

}  // namespace kiln::cuda
