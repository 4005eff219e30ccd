// Convolutions and products between tensors of any strides, sums in float32 without tensor cores: exact for float32, and for
// everything that faster kernels decline.
#include "backends/cuda/device/cu/conv_any.h"
#include "backends/cuda/device/cu/epilogue.cuh"

namespace kiln::cuda {
namespace {

template <class T> class AnyTile {
 public:
  __device__ AnyTile(const ConvAnyArguments& arguments) : a_(arguments) {
    int64_t at[4];
    a_.items.offsets(blockIdx.z, at);
    y_ = static_cast<T*>(a_.y) + at[0];
    x_ = static_cast<const T*>(a_.x) + at[1];
    w_ = static_cast<const T*>(a_.w) + at[2];
    residual_ = static_cast<const T*>(a_.residual) + at[3];
    row0_ = blockIdx.x * kAnySide;
    column0_ = blockIdx.y * kAnySide;
  }

  __device__ void run() {
    __shared__ float left[kAnyDepth][kAnySide + 4], right[kAnyDepth][kAnySide + 4];
    const int ty = threadIdx.x / 16 * 4, tx = threadIdx.x % 16 * 4;
    float sums[4][4] = {};
    for (uint32_t term0 = 0; term0 < a_.terms; term0 += kAnyDepth) {
      for (int i = threadIdx.x; i < kAnySide * kAnyDepth; i += kAnyThreads) {
        // Neighbouring threads read neighbouring elements of the operand.
        const bool x_by_terms = a_.x_channel == 1, w_by_terms = a_.w_channel == 1;
        const int x_term = x_by_terms ? i % kAnyDepth : i / kAnySide, row = x_by_terms ? i / kAnyDepth : i % kAnySide;
        const int w_term = w_by_terms ? i % kAnyDepth : i / kAnySide, column = w_by_terms ? i / kAnyDepth : i % kAnySide;
        left[x_term][row] = source(row0_ + row, term0 + x_term);
        right[w_term][column] = weight(term0 + w_term, column0_ + column);
      }
      __syncthreads();
#pragma unroll
      for (int term = 0; term < kAnyDepth; ++term) {
        float l[4], r[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) l[i] = left[term][ty + i], r[i] = right[term][tx + i];
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j) sums[i][j] += l[i] * r[j];
      }
      __syncthreads();
    }
    store(sums, row0_ + ty, column0_ + tx);
  }

 private:
  struct Tap {
    uint32_t channel, h, w;
  };
  __device__ Tap tap_of(uint32_t term) const {
    const uint32_t tap = a_.channels.quotient(term), h = a_.taps_w.quotient(tap);
    return {term - tap * a_.channels.divisor, h, tap - h * a_.taps_w.divisor};
  }

  __device__ float source(uint32_t pixel, uint32_t term) const {
    if (pixel >= a_.rows.count || term >= a_.terms) return 0;
    const Tap tap = tap_of(term);
    const uint32_t batch = a_.out_plane.quotient(pixel), rest = pixel - batch * a_.out_plane.divisor;
    const uint32_t line = a_.out_width.quotient(rest), column = rest - line * a_.out_width.divisor;
    const int h = static_cast<int>(line) * a_.stride_h - a_.top + static_cast<int>(tap.h) * a_.dilation_h;
    const int w = static_cast<int>(column) * a_.stride_w - a_.left + static_cast<int>(tap.w) * a_.dilation_w;
    if (h < 0 || h >= a_.height || w < 0 || w >= a_.width) return 0;
    return to_float(x_[batch * a_.x_batch + h * a_.x_row + w * a_.x_pixel + tap.channel * a_.x_channel]);
  }

  __device__ float weight(uint32_t term, uint32_t column) const {
    if (column >= a_.columns || term >= a_.terms) return 0;
    const Tap tap = tap_of(term);
    return to_float(w_[column * a_.w_column + tap.channel * a_.w_channel + tap.h * a_.w_tap_h + tap.w * a_.w_tap_w]);
  }

  __device__ float bias(uint32_t column) const {
    if (!a_.bias || column >= a_.columns) return 0;
    const int64_t at = column + (a_.bias_per_item ? int64_t{blockIdx.z} * a_.columns : 0);
    return a_.bias_is_float ? static_cast<const float*>(a_.bias)[at] : to_float(static_cast<const T*>(a_.bias)[at]);
  }

  __device__ void store(const float (&sums)[4][4], uint32_t row, uint32_t column) const {
    for (int i = 0; i < 4; ++i) {
      if (row + i >= a_.rows.count) return;
      int64_t at[2];
      a_.rows.offsets(row + i, at);
      Eight v = {}, add = {};
      for (int j = 0; j < 4; ++j) {
        if (a_.residual && column + j < a_.columns) add.at[j] = to_float(residual_[at[1] + (column + j) * a_.residual_column]);
        v.at[j] = sums[i][j] * a_.factor + bias(column + j) + (a_.residual_after ? 0 : add.at[j]);
      }
      v = activated(a_.activation, a_.alpha, a_.beta, v);
      for (int j = 0; j < 4; ++j)
        if (column + j < a_.columns)
          y_[at[0] + (column + j) * a_.y_column] = from_float<T>(v.at[j] + (a_.residual_after ? add.at[j] : 0));
    }
  }

  const ConvAnyArguments& a_;
  T* y_;
  const T *x_, *w_, *residual_;
  uint32_t row0_, column0_;
};

template <class T> __device__ void conv_any(const ConvAnyArguments& a) {
  begin_kernel();
  AnyTile<T>(a).run();
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kAnyThreads) conv_any_f16(const __grid_constant__ ConvAnyArguments a) {
  conv_any<__half>(a);
}
extern "C" __global__ void __launch_bounds__(kAnyThreads) conv_any_bf16(const __grid_constant__ ConvAnyArguments a) {
  conv_any<__nv_bfloat16>(a);
}
extern "C" __global__ void __launch_bounds__(kAnyThreads) conv_any_f32(const __grid_constant__ ConvAnyArguments a) {
  conv_any<float>(a);
}

}  // namespace kiln::cuda
