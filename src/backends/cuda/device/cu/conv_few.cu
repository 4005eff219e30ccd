// Convolutions of few channels on tensor cores by mma.sync, for compute capability 8.0 and later: a patch of the source, read from
// any layout, lies in shared memory pixel by pixel, and the left operand is picked from it tap by tap.
#include "backends/cuda/device/cu/conv_few.h"
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/tensor_core.cuh"

namespace kiln::cuda {
namespace {

template <class Math, class Source, int kColumns, int kLines> class FewBlock {
 public:
  __device__ FewBlock(const ConvFewArguments& arguments, char* shared) : a_(arguments) {
    weights_ = shared;
    taps_ = reinterpret_cast<int32_t*>(weights_ + kColumns * a_.row_bytes);
    patch_ = reinterpret_cast<uint32_t*>(taps_ + align4(a_.steps * kStepTaps));
    column0_ = blockIdx.y * kColumns;
  }

  __device__ void run() {
    let_next_start();
    if (!a_.weights_are_constant) wait_for_inputs();
    copy_weights();
    place_taps();
    wait_for_inputs();
    Ahead ahead;
    if (blockIdx.x < a_.tiles) fetch(place_of(blockIdx.x), ahead);
    wait_for_copies<0>();
    for (uint32_t tile = blockIdx.x; tile < a_.tiles; tile += gridDim.x) {
      const Place place = place_of(tile);
      store_patch(place, ahead);
      __syncthreads();
      // The pixels of the next tile are on their way while this one is multiplied.
      if (tile + gridDim.x < a_.tiles) fetch(place_of(tile + gridDim.x), ahead);
      float sums[kRowSquares][kColumnSquares][4] = {};
      multiply_all(sums);
      __syncthreads();
      store(place, sums);
    }
  }

 private:
  using T = typename Math::Element;
  using Pixel = Pack<T, kFewChannels>;
  static constexpr int kRowSquares = kLines / kFewWarps, kColumnSquares = kColumns / 8;
  static constexpr int kPixelWords = sizeof(Pixel) / 4;
  static constexpr int kStepTaps = kFewStepBytes / sizeof(Pixel);
  static constexpr int kAhead = 7;  // pixels of a thread that are on their way

  struct Place {  // of a tile, in the result
    uint32_t batch;
    int row, across;
  };
  struct Ahead {
    Source at[kAhead][kFewChannels];
  };

  __device__ Place place_of(uint32_t tile) const {
    const uint32_t line = a_.tiles_w.quotient(tile), batch = a_.tiles_h.quotient(line);
    return {batch, static_cast<int>(line - batch * a_.tiles_h.divisor) * kLines,
            static_cast<int>(tile - line * a_.tiles_w.divisor) * kFewAcross};
  }

  __device__ static uint32_t align4(uint32_t n) { return (n + 3) / 4 * 4; }

  __device__ void copy_weights() const {
    const uint32_t bytes = kColumns * a_.row_bytes, to = shared_address(weights_);
    const char* from = static_cast<const char*>(a_.weights) + int64_t{blockIdx.y} * bytes;
    for (uint32_t at = threadIdx.x * kPieceBytes; at < bytes; at += kFewThreads * kPieceBytes) copy_piece(to + at, from + at, true);
    commit_copies();
  }

  // Where the pixel of each tap lies from the first one under the window, in words; negative: there is no such tap.
  __device__ void place_taps() const {
    for (uint32_t tap = threadIdx.x; tap < a_.steps * kStepTaps; tap += kFewThreads) {
      const uint32_t h = a_.tap_columns.quotient(tap), w = tap - h * a_.tap_columns.divisor;
      const uint32_t at = h * a_.g.dilation_h * a_.patch_columns.divisor + w * a_.g.dilation_w;
      taps_[tap] = h < a_.g.taps_h ? static_cast<int32_t>(at * kPixelWords) : -1;
    }
  }

  __device__ static T element_of(T x) { return x; }
  template <class Other> __device__ static T element_of(Other x) { return from_float<T>(x); }

  __device__ uint32_t pixels() const { return a_.patch_rows * a_.patch_columns.divisor; }

  // Pixel `i` of the patch under a tile; zeros outside of the source.
  __device__ void load_pixel(const Place& place, uint32_t i, Source (&to)[kFewChannels]) const {
    const uint32_t line = a_.patch_columns.quotient(i);
    const int h = place.row * a_.g.stride_h - a_.g.top + static_cast<int>(line),
              w = place.across * a_.g.stride_w - a_.g.left + static_cast<int>(i - line * a_.patch_columns.divisor);
    const bool inside = i < pixels() && static_cast<uint32_t>(h) < static_cast<uint32_t>(a_.g.height) &&
                        static_cast<uint32_t>(w) < static_cast<uint32_t>(a_.g.width);
    const Source* from = static_cast<const Source*>(a_.x) + place.batch * a_.g.from_batch + h * a_.g.from_row + w * a_.g.from_pixel;
#pragma unroll
    for (int c = 0; c < kFewChannels; ++c)
      to[c] = load_if(from + c * a_.from_channel, inside && c < static_cast<int>(a_.g.channels));
  }
  __device__ void store_pixel(uint32_t i, const Source (&from)[kFewChannels]) const {
    Pixel pixel;
#pragma unroll
    for (int c = 0; c < kFewChannels; ++c) pixel.at[c] = element_of(from[c]);
    if (i < pixels()) reinterpret_cast<Pixel*>(patch_)[i] = pixel;
  }

  __device__ void fetch(const Place& place, Ahead& ahead) const {
#pragma unroll
    for (int k = 0; k < kAhead; ++k) load_pixel(place, threadIdx.x + k * kFewThreads, ahead.at[k]);
  }

  // What was fetched, and the rest of a large patch.
  __device__ void store_patch(const Place& place, const Ahead& ahead) const {
#pragma unroll
    for (int k = 0; k < kAhead; ++k) store_pixel(threadIdx.x + k * kFewThreads, ahead.at[k]);
    for (uint32_t i0 = threadIdx.x + kAhead * kFewThreads; i0 < pixels(); i0 += kAhead * kFewThreads) {
      Ahead rest;
#pragma unroll
      for (int k = 0; k < kAhead; ++k) load_pixel(place, i0 + k * kFewThreads, rest.at[k]);
#pragma unroll
      for (int k = 0; k < kAhead; ++k) store_pixel(i0 + k * kFewThreads, rest.at[k]);
    }
  }

  __device__ void multiply_all(float (&sums)[kRowSquares][kColumnSquares][4]) const {
    const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, word = lane % 4;
    const uint32_t tap = word / kPixelWords, across = 8 * a_.g.stride_w * kPixelWords;
    const uint32_t down = a_.g.stride_h * a_.patch_columns.divisor * kPixelWords;
    const uint32_t* left = patch_ + warp * kRowSquares * down + lane / 4 * a_.g.stride_w * kPixelWords + word % kPixelWords;
    const uint32_t right = shared_address(weights_) + (lane % 8 + lane / 16 * 8) * a_.row_bytes + lane / 8 % 2 * kPieceBytes;
    for (uint32_t step = 0; step < a_.steps; ++step) {
      const int32_t low = taps_[step * kStepTaps + tap], high = taps_[step * kStepTaps + tap + kStepTaps / 2];
      uint32_t left_squares[kRowSquares][4], right_squares[kColumnSquares / 2][4];
#pragma unroll
      for (int i = 0; i < kRowSquares; ++i) {
        const uint32_t* from = left + i * down;
        left_squares[i][0] = low < 0 ? 0 : from[low];
        left_squares[i][1] = low < 0 ? 0 : from[low + across];
        left_squares[i][2] = high < 0 ? 0 : from[high];
        left_squares[i][3] = high < 0 ? 0 : from[high + across];
      }
#pragma unroll
      for (int j = 0; j < kColumnSquares / 2; ++j)
        load_squares(right_squares[j], right + j * 16 * a_.row_bytes + step * kFewStepBytes);
#pragma unroll
      for (int i = 0; i < kRowSquares; ++i)
#pragma unroll
        for (int j = 0; j < kColumnSquares; ++j)
          multiply<Math>(sums[i][j], left_squares[i], right_squares[j / 2][j % 2 * 2], right_squares[j / 2][j % 2 * 2 + 1]);
    }
  }

  __device__ void store(const Place& place, const float (&sums)[kRowSquares][kColumnSquares][4]) const {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const T* residual = static_cast<const T*>(a_.epilogue.residual);
#pragma unroll
    for (int g = 0; g < kColumnSquares / 4; ++g) {
      const uint32_t column = column0_ + g * 32 + lane % 4 * 8;
      if (column >= a_.g.columns) continue;
      const int columns = static_cast<int>(a_.g.columns - column);
      Eight bias = {};
      if (a_.epilogue.bias) bias = load_run<float, 8>(a_.epilogue.bias + column, false, columns);
#pragma unroll
      for (int i = 0; i < kRowSquares; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int row = place.row + warp * kRowSquares + i, across = place.across + half * 8 + lane / 4;
          if (row >= a_.out_height || across >= a_.out_width) continue;
          const int64_t pixel = (int64_t{place.batch} * a_.out_height + row) * a_.out_width + across;
          Eight v;
#pragma unroll
          for (int j = 0; j < 8; ++j) v.at[j] = sums[i][g * 4 + j / 2][half * 2 + j % 2] + bias.at[j];
          finish<T>(a_.epilogue, v, residual ? residual + pixel * a_.epilogue.residual_stride + column : nullptr,
                    static_cast<T*>(a_.y) + pixel * a_.g.to_pixel + column, {static_cast<uint32_t>(pixel), column, columns});
        }
    }
  }

  const ConvFewArguments& a_;
  char* weights_;
  int32_t* taps_;
  uint32_t* patch_;
  uint32_t column0_;
};

template <class Math, class Source, int kColumns, int kLines> __device__ void conv_few(const ConvFewArguments& a) {
  extern __shared__ __align__(128) char shared[];
  FewBlock<Math, Source, kColumns, kLines>(a, shared).run();
}

}  // namespace

#define KILN_FEW_TILE(name, math, source, columns, lines)                                          \
  extern "C" __global__ void __launch_bounds__(kFewThreads, few_blocks(columns, lines))            \
      conv_few_##name##_##columns##_##lines(const __grid_constant__ ConvFewArguments a) {          \
    conv_few<math, source, columns, lines>(a);                                                     \
  }
#define KILN_FEW(name, math, source)           \
  KILN_FEW_TILE(name, math, source, 32, 8)     \
  KILN_FEW_TILE(name, math, source, 32, 16)    \
  KILN_FEW_TILE(name, math, source, 64, 8)     \
  KILN_FEW_TILE(name, math, source, 64, 16)
KILN_FEW(f16, MathF16, __half)
KILN_FEW(bf16, MathBF16, __nv_bfloat16)
KILN_FEW(f32, MathTF32, float)
KILN_FEW(f16_from_f32, MathF16, float)
KILN_FEW(bf16_from_f32, MathBF16, float)

}  // namespace kiln::cuda
