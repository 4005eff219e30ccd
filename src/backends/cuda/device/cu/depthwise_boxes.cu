// Convolutions of each channel alone for compute capability 9.0 and later. The copy engine brings boxes of the source with zeros around
// it, some tiles ahead; threads hold the weights of their channels, walk down the rows of a box, and use each row for all results that it
// reaches.
#include "backends/cuda/device/cu/conv_depthwise.h"
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/hopper.cuh"

namespace kiln::cuda {
namespace {

#if __CUDA_ARCH__ >= 900

template <class T, int kSide, int kStride, int kPatch, int kPairs, bool kAddsUp> class DepthwiseBoxes {
 public:
  __device__ DepthwiseBoxes(const CUtensorMap& source, const DepthwiseBoxArguments& arguments, char* shared)
      : source_(source), a_(arguments), stages_(shared) {
    first_tile_ = a_.slices.quotient(blockIdx.x);
    channel0_ = (blockIdx.x - first_tile_ * a_.slices.divisor) * kPairs * 2;
    channel_ = channel0_ + threadIdx.x % kPairs * 2;
    first_patch_ = threadIdx.x / kPairs / a_.box_n;
    image_ = threadIdx.x / kPairs - first_patch_ * a_.box_n;
  }

  __device__ void run() {
    __shared__ __align__(8) uint64_t full[kMaxDepthwiseStages];
    __shared__ Pair totals[2][kAddsUp ? kDepthwiseBoxThreads : 1];  // in turn: who is ahead by a tile writes where nobody reads
    let_next_start();
    if (threadIdx.x == 0) {
      fetch_map(source_);
      for (uint32_t i = 0; i < a_.stages; ++i) init_barrier(&full[i], 1);
      publish_barriers();
    }
    if (!a_.weights_are_constant) wait_for_inputs();
    Pair weights[kSide * kSide];
    load_weights(weights);
    wait_for_inputs();
    __syncthreads();
    const uint32_t step = gridDim.x / a_.slices.divisor;
    if (threadIdx.x == 0)
      for (uint32_t i = 0, tile = first_tile_; i < a_.stages && tile < a_.tiles; ++i, tile += step) fetch(tile, i, &full[i]);
    uint32_t stage = 0, parity = 0, turn = 0;
    for (uint32_t tile = first_tile_; tile < a_.tiles; tile += step, turn ^= 1) {
      wait(&full[stage], parity);
      Pair total = {};
      add_patches(place_of(tile), stages_ + stage * a_.stage_bytes, weights, total);
      if constexpr (kAddsUp) totals[turn][threadIdx.x] = total;
      __syncthreads();  // nobody reads the box any more
      if (threadIdx.x == 0 && tile + a_.stages * step < a_.tiles) fetch(tile + a_.stages * step, stage, &full[stage]);
      if constexpr (kAddsUp) store_sums(tile, totals[turn]);
      if (++stage == a_.stages) stage = 0, parity ^= 1;
    }
  }

 private:
  using Pair = Run<2>;
  struct Place {  // of the result
    int row, column;
    uint32_t image;
  };
  static constexpr DepthwiseTile kShape = kDepthwisePatches[kPatch];
  static constexpr int kSourceRows = (kShape.rows - 1) * kStride + kSide, kSourceColumns = (kShape.columns - 1) * kStride + kSide;
  static constexpr int kPixelBytes = kPairs * 2 * sizeof(T), kUnits = kDepthwiseBoxThreads / kPairs;

  // In one word: the compiler would read two halves.
  __device__ static Pair pair_at(const void* from) {
    const uint32_t word = *static_cast<const uint32_t*>(from);
    Pack<T, 2> pack;
    memcpy(&pack, &word, sizeof pack);
    return run_of(pack);
  }

  __device__ Place place_of(uint32_t tile) const {
    const uint32_t line = a_.tiles_w.quotient(tile), plane = a_.tiles_h.quotient(line);
    return {static_cast<int>((line - plane * a_.tiles_h.divisor) * a_.patches_h) * kShape.rows,
            static_cast<int>((tile - line * a_.tiles_w.divisor) * a_.patches_w.divisor) * kShape.columns, plane * a_.box_n};
  }

  __device__ void fetch(uint32_t tile, uint32_t stage, uint64_t* full) const {
    const Place at = place_of(tile);
    arrive_expecting(full, a_.box_bytes);
    copy_box(stages_ + stage * a_.stage_bytes, source_, static_cast<int>(channel0_), at.column * kStride - a_.left,
             at.row * kStride - a_.top, static_cast<int>(at.image), full);
  }

  __device__ void load_weights(Pair (&weights)[kSide * kSide]) const {
    const T* from = static_cast<const T*>(a_.weights) + channel_;
#pragma unroll
    for (int tap = 0; tap < kSide * kSide; ++tap) {
      weights[tap] = {};
      if (channel_ < a_.channels) weights[tap] = load_run<T, 2>(from + tap * a_.padded, true, 2);
    }
  }

  // `total` of the results.
  __device__ void add_patches(const Place& tile, const char* box, const Pair (&weights)[kSide * kSide], Pair& total) const {
    if (channel_ >= a_.channels || tile.image + image_ >= a_.batch) return;
    Pair bias = {};
    if (a_.epilogue.bias) bias = load_run<float, 2>(a_.epilogue.bias + channel_, false, 2);
    const uint32_t patches = a_.patches_h * a_.patches_w.divisor, step = kUnits / a_.box_n;
    for (uint32_t patch = first_patch_; patch < patches; patch += step) {
      const uint32_t line = a_.patches_w.quotient(patch);
      const int row = static_cast<int>(line) * kShape.rows, column = static_cast<int>(patch - line * a_.patches_w.divisor) * kShape.columns;
      const Place at{tile.row + row, tile.column + column, tile.image + image_};
      if (at.row >= a_.out_height || at.column >= a_.out_width) continue;
      Pair sums[kShape.rows][kShape.columns];
#pragma unroll
      for (auto& of_row : sums)
#pragma unroll
        for (Pair& sum : of_row) sum = bias;
      const uint32_t pixel = (image_ * a_.box_h + row * kStride) * a_.box_w + column * kStride;
      add_rows(box + pixel * kPixelBytes + threadIdx.x % kPairs * sizeof(Pack<T, 2>), weights, sums);
      store(at, sums, total);
    }
  }

  // Of each image in the tile, those of its threads in their order.
  __device__ void store_sums(uint32_t tile, const Pair (&totals)[kDepthwiseBoxThreads]) const {
    const uint32_t unit = threadIdx.x / kPairs, plane = a_.tiles_h.quotient(a_.tiles_w.quotient(tile));
    const uint32_t tiles = a_.tiles_h.divisor * a_.tiles_w.divisor, image = plane * a_.box_n + unit;
    if (unit >= a_.box_n || image >= a_.batch || channel_ >= a_.channels) return;
    Pair sum = {};
    for (uint32_t other = threadIdx.x; other < kDepthwiseBoxThreads; other += a_.box_n * kPairs)
#pragma unroll
      for (int j = 0; j < 2; ++j) sum.at[j] += totals[other].at[j];
    store_run(a_.sums + (int64_t{image} * tiles + tile - plane * tiles) * a_.channels + channel_, sum, true, 2);
  }

  __device__ void add_rows(const char* from, const Pair (&weights)[kSide * kSide], Pair (&sums)[kShape.rows][kShape.columns]) const {
    const uint32_t row_bytes = a_.box_w * kPixelBytes;
#pragma unroll
    for (int i = 0; i < kSourceRows; ++i, from += row_bytes) {
      Pair line[kSourceColumns];
#pragma unroll
      for (int q = 0; q < kSourceColumns; ++q) line[q] = pair_at(from + q * kPixelBytes);
#pragma unroll
      for (int r = 0; r < kShape.rows; ++r) {
        const int tap_row = i - r * kStride;
        if (tap_row < 0 || tap_row >= kSide) continue;
#pragma unroll
        for (int s = 0; s < kSide; ++s)
#pragma unroll
          for (int q = 0; q < kShape.columns; ++q)
#pragma unroll
            for (int j = 0; j < 2; ++j) sums[r][q].at[j] += line[q * kStride + s].at[j] * weights[tap_row * kSide + s].at[j];
      }
    }
  }

  // What is asked once for a patch is not asked for each of its results.
  __device__ void store(const Place& at, const Pair (&sums)[kShape.rows][kShape.columns], Pair& total) const {
    const EpilogueArguments& e = a_.epilogue;
    const auto* residuals = static_cast<const T*>(e.residual);
    if (residuals)
      store_by(at, sums, total, [&](const Pair& v, int64_t pixel, bool inside) {
        return inside ? with_epilogue(e, v, pair_at(residuals + pixel * e.residual_stride + channel_)) : v;
      });
    else if (e.activation == Activation::kSilu) store_by(at, sums, total, [](const Pair& v, int64_t, bool) { return mapped(v, silu); });
    else if (e.activation == Activation::kHardSwish) store_by(at, sums, total, [](const Pair& v, int64_t, bool) { return mapped(v, hard_swish); });
    else store_by(at, sums, total, [&e](const Pair& v, int64_t, bool) { return activated(e.activation, e.alpha, e.beta, v); });
  }

  template <class Finish>
  __device__ void store_by(const Place& at, const Pair (&sums)[kShape.rows][kShape.columns], Pair& total, Finish finish) const {
    bool inside[kShape.columns];
#pragma unroll
    for (int q = 0; q < kShape.columns; ++q) inside[q] = at.column + q < a_.out_width;
#pragma unroll
    for (int r = 0; r < kShape.rows; ++r) {
      if (at.row + r >= a_.out_height) return;
      const int64_t pixel = (int64_t{at.image} * a_.out_height + at.row + r) * a_.out_width + at.column;
      T* y = static_cast<T*>(a_.y) + pixel * a_.to_pixel + channel_;
#pragma unroll
      for (int q = 0; q < kShape.columns; ++q, y += a_.to_pixel) {
        const Pair v = finish(sums[r][q], pixel + q, inside[q]);
        if (!inside[q]) continue;
        store_run(y, v, true, 2);
        if constexpr (kAddsUp) {
#pragma unroll
          for (int j = 0; j < 2; ++j) total.at[j] += v.at[j];
        }
      }
    }
  }

  const CUtensorMap& source_;
  const DepthwiseBoxArguments& a_;
  char* stages_;
  uint32_t first_tile_, channel0_, channel_;
  uint32_t image_, first_patch_;  // of a tile
};

#endif

}  // namespace

#if __CUDA_ARCH__ >= 900
#define KILN_BOXES_KERNEL(function, type, side, stride, patch, pairs, adds_up)                                             \
  extern "C" __global__ void __launch_bounds__(kDepthwiseBoxThreads, 2)                                                    \
      function##_##side##_##stride##_##patch##_##pairs(const __grid_constant__ CUtensorMap source,                         \
                                                       const __grid_constant__ DepthwiseBoxArguments a) {                  \
    extern __shared__ __align__(128) char shared[];                                                                        \
    DepthwiseBoxes<type, side, stride, patch, pairs, adds_up>(source, a, shared).run();                                    \
  }
#define KILN_BOXES_PATCH(name, type, side, stride, patch, pairs)                             \
  KILN_BOXES_KERNEL(depthwise_boxes_##name, type, side, stride, patch, pairs, false)         \
  KILN_BOXES_KERNEL(depthwise_sums_##name, type, side, stride, patch, pairs, true)
#define KILN_BOXES_WINDOW(name, type, side, stride)    \
  KILN_BOXES_PATCH(name, type, side, stride, 0, 16)    \
  KILN_BOXES_PATCH(name, type, side, stride, 0, 32)    \
  KILN_BOXES_PATCH(name, type, side, stride, 1, 32)
#define KILN_BOXES(name, type)         \
  KILN_BOXES_WINDOW(name, type, 3, 1)  \
  KILN_BOXES_WINDOW(name, type, 5, 1)  \
  KILN_BOXES_WINDOW(name, type, 3, 2)  \
  KILN_BOXES_WINDOW(name, type, 5, 2)
KILN_BOXES(f16, __half)
KILN_BOXES(bf16, __nv_bfloat16)
#endif

}  // namespace kiln::cuda
