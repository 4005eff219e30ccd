// The inner kernel of matrix products and convolutions: a tile of a few rows by a few vectors, whose left operand is
// reached through row addresses and whose right operand is a packed panel. Private to this room.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/epilogue.h"

namespace kiln::cpu {

inline constexpr int kMaxTileRows = 14;
inline constexpr int kMaxTileVectors = 4;
inline constexpr int kMaxRowVectors = 8;  // of a tile of one row

// c[i][j] (+)= sum over t, k of rows[t * rows_stride + i][k] * b[(t * depth + k) * b_stride + j].
struct TileArgs {
  const float* const* rows;
  int64_t rows_stride;
  int64_t taps, depth;
  const void* b;  // numbers of float32; of tiles for narrow weights, of their type
  int64_t b_stride;
  float* c;
  int64_t c_stride;
  const float* start;       // added to each row of the first part of the sum; may be null
  const float* before;      // added to the first part of the sum, row by row; may be null
  const float* after;       // added to the finished sum after the limits; may be null
  int64_t residual_stride;  // of before and after
  float low, high;          // limits of the finished sum
  int64_t last_lanes;       // columns of the last vector
  bool first, last;         // is this the first, the last part of the sum?
  const float* prefetch;    // read soon, from here on
  int64_t prefetch_step;    // floats that each step of k asks for, at most a line
};

using TileFunction = void (*)(const TileArgs&);

// The tiles of one instruction set.
struct TileTable {
  int lanes;
  int max_rows[kMaxTileVectors + 1];                         // by number of vectors
  TileFunction tile[kMaxTileVectors + 1][kMaxTileRows + 1];  // by vectors, rows
  int row_vectors;                                           // most vectors of a tile of one row
  TileFunction row[kMaxRowVectors + 1];                      // of one row, by vectors
  // Of one row, by weights in float16 and in bfloat16, by vectors; null where the instruction set does not widen them.
  TileFunction narrow_row[2][kMaxRowVectors + 1];
  // Activation, then the sum with `after` (may be null; its rows are residual_stride apart), on a stored tile.
  void (*activate)(const Epilogue&, const float* after, float* c, int64_t c_stride, int64_t rows, int64_t columns);
  // out[k * width + j] = in[j * stride + k] for k < depth, j < columns.
  void (*transpose)(const float* in, int64_t stride, int64_t columns, int64_t depth, float* out, int64_t width);
};

// Of the best instruction set that this machine has.
const TileTable& tile_table() noexcept;

}  // namespace kiln::cpu
