// What the convolutions by boxes of pixels share: chunks of both operands by the copy engine, and sums that begin with the bias.
#pragma once
#include "backends/cuda/device/cu/conv.h"
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/hopper.cuh"

namespace kiln::cuda {

#if __CUDA_ARCH__ >= 900

// The first pixel of a tile.
struct TileOrigin {
  uint32_t w, h, n;
};
__device__ inline TileOrigin origin_of(const ConvBoxArguments& a, uint32_t row_tile) {
  const uint32_t line = a.tiles_w.quotient(row_tile), plane = a.tiles_h.quotient(line);
  return {(row_tile - line * a.tiles_w.divisor) * a.box_w.divisor, (line - plane * a.tiles_h.divisor) * a.box_h.divisor,
          plane * a.box_n};
}

// Both operands of a chunk end the phase of `full`; the weights are asked for first.
template <int kBytes>
__device__ inline void fetch_weights(const ConvBoxArguments& a, uint32_t column_tile, uint32_t chunk, void* to, uint64_t* full) {
  arrive_expecting(full, a.box_bytes + kBytes);
  copy_bulk(to, static_cast<const char*>(a.weights) + (int64_t{column_tile} * a.chunks + chunk) * kBytes, kBytes, full);
}
template <class Math>
__device__ inline void fetch_source(const ConvBoxArguments& a, const CUtensorMap& map, const TileOrigin& at, uint32_t chunk, void* to,
                                    uint64_t* full) {
  const uint32_t tap = a.chunks_per_tap.quotient(chunk), channel = (chunk - tap * a.chunks_per_tap.divisor) * kChunkElements<Math>;
  const uint32_t tap_h = a.tap_columns.quotient(tap), tap_w = tap - tap_h * a.tap_columns.divisor;
  copy_box(to, map, static_cast<int>(channel),
           static_cast<int>(at.w) * a.g.stride_w - a.g.left + static_cast<int>(tap_w) * a.g.dilation_w,
           static_cast<int>(at.h) * a.g.stride_h - a.g.top + static_cast<int>(tap_h) * a.g.dilation_h, static_cast<int>(at.n), full);
}

// The first column, within the tile, of the run `octet` of eight adjacent results of this thread.
__device__ inline uint32_t column_of_octet(uint32_t octet) { return octet * 32 + threadIdx.x % 4 * 8; }
// The run, in the first or the second of the thread's rows.
template <int kSums> __device__ inline Eight octet_of(const float (&sums)[kSums], int octet, int half) {
  Eight v;
#pragma unroll
  for (int j = 0; j < 8; ++j) v.at[j] = sums[octet * 16 + j / 2 * 4 + half * 2 + j % 2];
  return v;
}

// Sums of a thread begin with the bias, or with zero where it is null.
template <int kSums>
__device__ inline void begin_sums(float (&sums)[kSums], const float* bias, uint32_t column0, uint32_t columns) {
  const bool words = reinterpret_cast<uintptr_t>(bias) % 16 == 0;
#pragma unroll
  for (int octet = 0; octet < kSums / 16; ++octet) {
    const uint32_t column = column0 + column_of_octet(octet);
    Eight v = {};
    if (bias && column < columns) v = load_run<float, 8>(bias + column, words, static_cast<int>(columns - column));
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const int at = octet * 16 + j / 2 * 4 + j % 2;
      sums[at] = sums[at + 2] = v.at[j];
    }
  }
}

#endif

}  // namespace kiln::cuda
