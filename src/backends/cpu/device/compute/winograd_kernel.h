// Transforms of Winograd tiles, for one tile and all its channels. Private to this room.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/epilogue.h"

namespace kiln::cpu {

inline constexpr int kMaxWinogradTile = 4, kMaxWinogradInput = kMaxWinogradTile + 2;

// v[(i * (tile + 2) + j) * v_stride + c] = (B^T x B)[i][j], where x[i][j] is the pixel at pixels[i * (tile + 2) + j].
// Writes whole vectors: up to 15 floats behind the channels.
void winograd_input(int tile, const float* const* pixels, int64_t channels, float* v, int64_t v_stride) noexcept;

struct WinogradOutput {
  const float* m;  // m[(i * (tile + 2) + j) * m_stride + c]
  int64_t m_stride;
  int64_t columns;
  float* pixels[kMaxWinogradTile * kMaxWinogradTile];        // null: outside
  const float* before[kMaxWinogradTile * kMaxWinogradTile];  // added before the limits; may be null
  const float* after[kMaxWinogradTile * kMaxWinogradTile];   // added after the limits; may be null
  const float* bias;                                         // may be null
  float low, high;
};
// A^T m A, bias, sums and limits.
void winograd_output(int tile, const WinogradOutput& output) noexcept;

// G w G^T of 3x3 filters, where `matrix` is G, [tile + 2, 3]: element p of filter k, which begins at filters[k * stride], goes to
// to[p * plane + k]. Zeros for filters from `count` to `width`, a multiple of 16.
void winograd_filters(int tile, const double* matrix, const float* filters, int64_t stride, int64_t count,
                      int64_t width, float* to, int64_t plane) noexcept;

}  // namespace kiln::cpu
