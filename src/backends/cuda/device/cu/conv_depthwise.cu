// Convolutions of each channel alone, or of few together. A thread has a run of adjacent channels of a small tile of results, walks down the rows of the
// source under it, and uses each row for all results that it reaches.
#include "backends/cuda/device/cu/conv_depthwise.h"
#include "backends/cuda/device/cu/epilogue.cuh"

namespace kiln::cuda {
namespace {

using Lanes = Run<kDepthwiseLanes>;

template <class T, int kSide, int kStride, int kTile> class Depthwise {
 public:
  __device__ explicit Depthwise(const DepthwiseArguments& arguments) : a_(arguments) {
    const uint32_t index = blockIdx.x * kDepthwiseThreads + threadIdx.x;
    const uint32_t place = a_.slice.quotient(index), line = a_.tiles_w.quotient(place), plane = a_.tiles_h.quotient(line);
    batch_ = a_.slices.quotient(plane);
    channel_ = ((plane - batch_ * a_.slices.divisor) * a_.slice.divisor + index - place * a_.slice.divisor) * kDepthwiseLanes;
    row_ = static_cast<int>(line - plane * a_.tiles_h.divisor) * kShape.rows;
    column_ = static_cast<int>(place - line * a_.tiles_w.divisor) * kShape.columns;
    inside_ = index < a_.count && channel_ < a_.g.channels;
  }

  __device__ void run() {
    begin_kernel();
    if (!inside_) return;
    Lanes sums[kShape.rows][kShape.columns];
    begin_sums(sums);
#pragma unroll
    for (int i = 0; i < kSourceRows; ++i) {
      Lanes line[kSourceColumns];
      load_line(i, line);
#pragma unroll
      for (int r = 0; r < kShape.rows; ++r)
        if (i >= r * kStride && i < r * kStride + kSide) add_taps(i - r * kStride, line, sums[r]);
    }
    store(sums);
  }

 private:
  static constexpr DepthwiseTile kShape = kDepthwiseTiles[kTile];
  static constexpr int kSourceRows = (kShape.rows - 1) * kStride + kSide, kSourceColumns = (kShape.columns - 1) * kStride + kSide;

  __device__ void begin_sums(Lanes (&sums)[kShape.rows][kShape.columns]) const {
    Lanes bias = {};
    if (a_.epilogue.bias) bias = load_run<float, kDepthwiseLanes>(a_.epilogue.bias + channel_, false, kDepthwiseLanes);
#pragma unroll
    for (auto& row : sums)
#pragma unroll
      for (Lanes& sum : row) sum = bias;
  }

  // Row `i` of the source under the tile.
  __device__ void load_line(int i, Lanes (&line)[kSourceColumns]) const {
    const int h = row_ * kStride - a_.g.top + i, w0 = column_ * kStride - a_.g.left;
    const bool row_inside = static_cast<uint32_t>(h) < static_cast<uint32_t>(a_.g.height);
    const T* from = static_cast<const T*>(a_.x) + batch_ * a_.g.from_batch + h * a_.g.from_row + channel_;
    Pack<T, kDepthwiseLanes> words[kSourceColumns];
#pragma unroll
    for (int q = 0; q < kSourceColumns; ++q)
      words[q] = load_if<T, kDepthwiseLanes>(from + (w0 + q) * a_.g.from_pixel,
                                             row_inside && static_cast<uint32_t>(w0 + q) < static_cast<uint32_t>(a_.g.width));
#pragma unroll
    for (int q = 0; q < kSourceColumns; ++q) line[q] = run_of(words[q]);
  }

  __device__ void add_taps(int tap_row, const Lanes (&line)[kSourceColumns], Lanes (&sums)[kShape.columns]) const {
#pragma unroll
    for (int s = 0; s < kSide; ++s) {
      const auto* from = static_cast<const T*>(a_.weights) + (tap_row * kSide + s) * a_.padded + channel_;
      const Lanes weight = load_run<T, kDepthwiseLanes>(from, true, kDepthwiseLanes);
#pragma unroll
      for (int q = 0; q < kShape.columns; ++q)
#pragma unroll
        for (int j = 0; j < kDepthwiseLanes; ++j) sums[q].at[j] += line[q * kStride + s].at[j] * weight.at[j];
    }
  }

  __device__ void store(const Lanes (&sums)[kShape.rows][kShape.columns]) const {
    const auto* residual = static_cast<const T*>(a_.epilogue.residual);
#pragma unroll
    for (int r = 0; r < kShape.rows; ++r)
#pragma unroll
      for (int q = 0; q < kShape.columns; ++q) {
        if (row_ + r >= a_.g.out_height || column_ + q >= a_.g.out_width) continue;
        const int64_t pixel = (int64_t{batch_} * a_.g.out_height + row_ + r) * a_.g.out_width + column_ + q;
        finish<T>(a_.epilogue, sums[r][q], residual ? residual + pixel * a_.epilogue.residual_stride + channel_ : nullptr,
                  static_cast<T*>(a_.y) + pixel * a_.to_pixel + channel_, {static_cast<uint32_t>(pixel), channel_, kDepthwiseLanes});
      }
  }

  const DepthwiseArguments& a_;
  uint32_t batch_, channel_;
  int row_, column_;  // of the result
  bool inside_;
};

template <class T> __device__ void depthwise_any(const DepthwiseAnyArguments& a) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kDepthwiseThreads + threadIdx.x;
  if (index >= a.count) return;
  // Axes from the innermost on: row, line, channel or channel, row, line.
  const FastDivisor &first = a.by_rows ? a.all_columns : a.all_channels, &second = a.by_rows ? a.all_rows : a.all_columns,
                    &third = a.by_rows ? a.all_channels : a.all_rows;
  const uint32_t rest = first.quotient(index), more = second.quotient(rest), batch = third.quotient(more);
  const uint32_t inner = index - rest * first.divisor, middle = rest - more * second.divisor, outer = more - batch * third.divisor;
  const uint32_t channel = a.by_rows ? outer : inner, row = a.by_rows ? middle : outer, column = a.by_rows ? inner : middle;
  const auto* x = static_cast<const T*>(a.x) + batch * a.g.from_batch + int64_t{a.columns.quotient(channel)} * a.terms * a.from_channel;
  const auto* weights = static_cast<const T*>(a.weights) + channel;
  const int h0 = static_cast<int>(row) * a.stride_h - a.g.top, w0 = static_cast<int>(column) * a.stride_w - a.g.left;
  Run<1> sum = {};
  if (a.epilogue.bias) sum.at[0] = a.epilogue.bias[channel];
  for (int r = 0; r < a.taps_h; ++r) {
    const int h = h0 + r * a.dilation_h;
    if (static_cast<uint32_t>(h) >= static_cast<uint32_t>(a.g.height)) continue;
    for (int s = 0; s < a.taps_w; ++s) {
      const int w = w0 + s * a.dilation_w;
      if (static_cast<uint32_t>(w) >= static_cast<uint32_t>(a.g.width)) continue;
      const T* from = x + h * a.g.from_row + w * a.g.from_pixel;
      const T* weight = weights + int64_t{r * a.taps_w + s} * a.terms * a.padded;
      for (uint32_t c = 0; c < a.terms; ++c) sum.at[0] += to_float(from[c * a.from_channel]) * to_float(weight[int64_t{c} * a.padded]);
    }
  }
  const auto at = [&](const int64_t (&strides)[4]) {
    return batch * strides[0] + channel * strides[1] + row * strides[2] + column * strides[3];
  };
  const auto* residual = static_cast<const T*>(a.epilogue.residual);
  finish<T>(a.epilogue, sum, residual ? residual + at(a.residual) : nullptr, static_cast<T*>(a.y) + at(a.to), {0, channel, 1});
}

}  // namespace

#define KILN_DEPTHWISE_TILE(name, type, side, stride, tile)                                        \
  extern "C" __global__ void __launch_bounds__(kDepthwiseThreads)                                  \
      depthwise_##name##_##side##_##stride##_##tile(const __grid_constant__ DepthwiseArguments a) { \
    Depthwise<type, side, stride, tile>(a).run();                                                  \
  }
#define KILN_DEPTHWISE_TWO(name, type, side, stride)  \
  KILN_DEPTHWISE_TILE(name, type, side, stride, 0)    \
  KILN_DEPTHWISE_TILE(name, type, side, stride, 1)
#define KILN_DEPTHWISE_THREE(name, type, side, stride)  \
  KILN_DEPTHWISE_TWO(name, type, side, stride)          \
  KILN_DEPTHWISE_TILE(name, type, side, stride, 2)
#define KILN_DEPTHWISE(name, type)                                                                                     \
  KILN_DEPTHWISE_THREE(name, type, 3, 1)                                                                               \
  KILN_DEPTHWISE_THREE(name, type, 5, 1)                                                                               \
  KILN_DEPTHWISE_TWO(name, type, 7, 1)                                                                                 \
  KILN_DEPTHWISE_TWO(name, type, 3, 2)                                                                                 \
  KILN_DEPTHWISE_TWO(name, type, 5, 2)                                                                                 \
  extern "C" __global__ void __launch_bounds__(kDepthwiseThreads)                                                      \
      depthwise_##name(const __grid_constant__ DepthwiseAnyArguments a) {                                              \
    depthwise_any<type>(a);                                                                                            \
  }
KILN_DEPTHWISE(f16, __half)
KILN_DEPTHWISE(bf16, __nv_bfloat16)
KILN_DEPTHWISE(f32, float)

}  // namespace kiln::cuda
