// A tile of a convolution or product on tensor cores by mma.sync: an implicit product of matrices whose left rows are gathered by cp.async,
// piece by piece, for compute capability 8.0 and later.
#pragma once
#include "backends/cuda/device/cu/conv.h"
#include "backends/cuda/device/cu/hopper.cuh"
#include "backends/cuda/device/cu/sums.cuh"
#include "backends/cuda/device/cu/tensor_core.cuh"

namespace kiln::cuda {

template <class Math, int kTile, class Arguments> struct ConvTile {
  using T = typename Math::Element;
  using Sum = typename Math::Sum;
  static constexpr MmaTile kShape = kMmaTiles[kTile];
  static constexpr int kThreads = kShape.threads();
  static constexpr int kRowsAtOnce = kThreads / 8;  // eight threads copy a row's chunk
  static constexpr int kSourceSteps = kShape.rows / kRowsAtOnce, kWeightSteps = kShape.columns / kRowsAtOnce;
  static constexpr int kSourceBytes = kShape.rows * kChunkBytes, kStageBytes = kSourceBytes + kShape.columns * kChunkBytes;
  static constexpr int kWarpRows = kShape.rows / kShape.row_warps, kWarpColumns = kShape.columns / kShape.column_warps;
  static constexpr int kRowSquares = kWarpRows / 16, kColumnSquares = kWarpColumns / 8;
  static_assert(kShape.rows % kRowsAtOnce == 0 && kShape.columns % kRowsAtOnce == 0);
  static_assert(kWarpRows % 16 == 0 && kWarpColumns % 32 == 0);

  const Arguments& a;
  char* stages;
  uint32_t row0, column0;                  // of the tile
  const T* x;                              // of the group
  const T* weights;                        // of the group
  int32_t from_h[kSourceSteps], from_w[kSourceSteps];
  int64_t base[kSourceSteps];
  uint32_t outside = 0;  // four bytes of what lies outside of images
  uint32_t split = 0, begin = 0, end;  // the block's part of the chunks

  __device__ ConvTile(const Arguments& arguments, char* shared) : a(arguments), stages(shared) {
    uint32_t tile = blockIdx.x;
    end = a.chunks;
    if constexpr (Math::kIsBytes) {
      tile = a.splits.quotient(tile);
      split = blockIdx.x - tile * a.splits.divisor;
      begin = a.splits.quotient(a.chunks * split);
      end = a.splits.quotient(a.chunks * (split + 1));
    }
    const uint32_t column_tile = a.row_tiles.quotient(tile);
    row0 = (tile - column_tile * a.row_tiles.divisor) * kShape.rows;
    column0 = column_tile * kShape.columns;
    x = static_cast<const T*>(a.x) + int64_t{blockIdx.y} * a.g.channels;
    weights = static_cast<const T*>(a.weights) + int64_t{blockIdx.y} * a.g.columns * a.terms;
    for (int i = 0; i < kSourceSteps; ++i) {
      const uint32_t pixel = row0 + threadIdx.x / 8 + i * kRowsAtOnce;
      const uint32_t batch = a.g.out_plane.quotient(pixel), rest = pixel - batch * a.g.out_plane.divisor;
      const uint32_t row = a.g.out_width.quotient(rest), column = rest - row * a.g.out_width.divisor;
      from_h[i] = static_cast<int32_t>(row) * a.g.stride_h - a.g.top;
      from_w[i] = static_cast<int32_t>(column) * a.g.stride_w - a.g.left;
      if (pixel >= a.g.pixels) from_h[i] = INT32_MIN / 2;  // above every image
      base[i] = batch * a.g.from_batch;
    }
  }

  __device__ char* stage(uint32_t chunk) const { return stages + chunk % kShape.stages * kStageBytes; }

  __device__ void copy_weights(uint32_t chunk) const {
    const uint32_t piece = threadIdx.x % 8, term = chunk * kChunkElements<Math> + piece * kPieceElements<Math>;
    const uint32_t to = shared_address(stage(chunk) + kSourceBytes);
    for (int i = 0; i < kWeightSteps; ++i) {
      const uint32_t row = threadIdx.x / 8 + i * kRowsAtOnce, column = column0 + channel_of_row(row);
      const bool wanted = column < a.g.columns && term < a.terms;
      copy_piece(to + swizzled(row, piece), weights + (wanted ? int64_t{column} * a.terms + term : 0), wanted);
    }
  }

  __device__ void copy_source(uint32_t chunk) const {
    const uint32_t piece = threadIdx.x % 8, at = chunk * 8 + piece;
    const uint32_t tap = a.pieces.quotient(at), channel = (at - tap * a.pieces.divisor) * kPieceElements<Math>;
    uint32_t tap_h = a.tap_columns.quotient(tap);
    const uint32_t tap_w = tap - tap_h * a.tap_columns.divisor;
    if constexpr (Math::kIsBytes) tap_h -= a.tap_rows.quotient(tap_h) * a.g.taps_h;  // every part of the weights has all taps
    const int32_t step_h = static_cast<int32_t>(tap_h) * a.g.dilation_h, step_w = static_cast<int32_t>(tap_w) * a.g.dilation_w;
    const uint32_t to = shared_address(stage(chunk));
    for (int i = 0; i < kSourceSteps; ++i) {
      const int32_t h = from_h[i] + step_h, w = from_w[i] + step_w;
      const bool wanted = tap_h < a.g.taps_h && static_cast<uint32_t>(h) < static_cast<uint32_t>(a.g.height) &&
                          static_cast<uint32_t>(w) < static_cast<uint32_t>(a.g.width);
      const uint32_t place = to + swizzled(threadIdx.x / 8 + i * kRowsAtOnce, piece);
      if constexpr (Math::kIsBytes) {
        if (!wanted) {
          store_piece(place, outside);
          continue;
        }
      }
      const int64_t from = wanted ? base[i] + h * a.g.from_row + w * a.g.from_pixel + channel : 0;
      copy_piece(place, x + from, wanted);
    }
  }

  __device__ void multiply_chunk(uint32_t chunk, Sum (&sums)[kRowSquares][kColumnSquares][4]) const {
    const int lane = threadIdx.x % 32;
    const uint32_t source = shared_address(stage(chunk)), right = source + kSourceBytes;
#pragma unroll
    for (int step = 0; step < 4; ++step) {  // 32 bytes of the chunk
      uint32_t left_squares[kRowSquares][4], right_squares[kColumnSquares / 2][4];
#pragma unroll
      for (int i = 0; i < kRowSquares; ++i)
        load_squares(left_squares[i], source + swizzled(warp_row() + i * 16 + lane % 16, step * 2 + lane / 16));
#pragma unroll
      for (int j = 0; j < kColumnSquares / 2; ++j)
        load_squares(right_squares[j],
                     right + swizzled(warp_column() + j * 16 + lane % 8 + lane / 16 * 8, step * 2 + lane / 8 % 2));
#pragma unroll
      for (int i = 0; i < kRowSquares; ++i)
#pragma unroll
        for (int j = 0; j < kColumnSquares; ++j)
          multiply<Math>(sums[i][j], left_squares[i], right_squares[j / 2][j % 2 * 2], right_squares[j / 2][j % 2 * 2 + 1]);
    }
  }

  // Where this warp's results lie in the tile.
  __device__ int warp_row() const { return threadIdx.x / 32 % kShape.row_warps * kWarpRows; }
  __device__ int warp_column() const { return threadIdx.x / 32 / kShape.row_warps * kWarpColumns; }

  // The first block of a cluster gets the sums of the others, where its stages were. Whether this is the one.
  __device__ bool join_splits(Sum (&sums)[kRowSquares][kColumnSquares][4]) const {
#if __CUDA_ARCH__ >= 900
    constexpr int kSums = kRowSquares * kColumnSquares * 4;
    Sum* const flat = &sums[0][0][0];
    arrive_at_cluster();
    wait_for_cluster();  // nobody reads stages any more
    if (split > 0) {
      const uint32_t to = in_block(shared_address(stages), 0) + ((split - 1) * kSums * kThreads + threadIdx.x) * sizeof(Sum);
#pragma unroll
      for (int i = 0; i < kSums; ++i) send_word(to + i * kThreads * sizeof(Sum), flat[i]);
    }
    arrive_at_cluster();
    wait_for_cluster();
    if (split > 0) return false;
    const Sum* from = reinterpret_cast<const Sum*>(stages) + threadIdx.x;
    for (uint32_t other = 1; other < a.splits.divisor; ++other, from += kSums * kThreads)
#pragma unroll
      for (int i = 0; i < kSums; ++i) flat[i] += from[i * kThreads];
#endif
    return true;
  }

  // store(tile, sums) finishes.
  template <class Store> __device__ void run(Store store) {
    constexpr int kAhead = kShape.stages - 1;
    let_next_start();
    if (!a.weights_are_constant) wait_for_inputs();
    for (uint32_t chunk = begin; chunk < begin + kAhead && chunk < end; ++chunk) copy_weights(chunk);
    if (a.weights_are_constant) wait_for_inputs();
    if constexpr (Math::kIsBytes) outside = (x_zero_of(a.sums) & 0xff) * 0x01010101u;
    for (uint32_t chunk = begin; chunk < begin + kAhead; ++chunk) {
      if (chunk < end) copy_source(chunk);
      commit_copies();
    }
    Sum sums[kRowSquares][kColumnSquares][4] = {};
    for (uint32_t chunk = begin; chunk < end; ++chunk) {
      wait_for_copies<kAhead - 1>();
      __syncthreads();
      if (chunk + kAhead < end) {
        copy_weights(chunk + kAhead);
        copy_source(chunk + kAhead);
      }
      commit_copies();
      multiply_chunk(chunk, sums);
    }
    if constexpr (Math::kIsBytes) {
      if (a.splits.divisor > 1 && !join_splits(sums)) return;
    }
    store(*this, sums);
  }
};

}  // namespace kiln::cuda
