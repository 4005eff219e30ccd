// Softmax, layer and RMS norm: a block for each row, or a warp for each short row. Sums are float32.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/rows.h"

namespace kiln::cuda {
namespace {

template <class T, int N, class F> __device__ void each_of_row(const T* row, int64_t n, F f) {
  for (int64_t i = threadIdx.x * N; i < n; i += kRowThreads * N) {
    const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(row + i);
#pragma unroll
    for (int j = 0; j < N; ++j) f(i + j, to_float(pack.at[j]));
  }
}

template <class T, int N, class F> __device__ void map_row(const T* row, T* to, int64_t n, F f) {
  for (int64_t i = threadIdx.x * N; i < n; i += kRowThreads * N) {
    Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(row + i);
#pragma unroll
    for (int j = 0; j < N; ++j) pack.at[j] = from_float<T>(f(i + j, to_float(pack.at[j])));
    *reinterpret_cast<Pack<T, N>*>(to + i) = pack;
  }
}

template <class T, int N> __device__ void softmax_row(const SoftmaxArguments& a, const T* x, T* y) {
  begin_kernel();
  __shared__ float shared[32];
  const T* row = x + blockIdx.x * a.n;
  float top = -INFINITY, sum = 0;
  each_of_row<T, N>(row, a.n, [&](int64_t, float v) { top = Largest()(top, v); });
  top = combine_block(top, -INFINITY, shared, Largest());
  each_of_row<T, N>(row, a.n, [&](int64_t, float v) { sum += expf(v - top); });
  sum = combine_block(sum, 0.0f, shared, Sum());
  const float factor = 1 / sum, shift = top + logf(sum);
  if (a.logarithm) map_row<T, N>(row, y + blockIdx.x * a.n, a.n, [&](int64_t, float v) { return v - shift; });
  else map_row<T, N>(row, y + blockIdx.x * a.n, a.n, [&](int64_t, float v) { return expf(v - top) * factor; });
}

template <class T> __device__ void softmax_column(const SoftmaxArguments& a, const T* x, T* y) {
  begin_kernel();
  const int64_t column = int64_t{blockIdx.x} * kColumnThreads + threadIdx.x;
  if (column >= a.outer * a.inner) return;
  const int64_t at = column / a.inner * a.n * a.inner + column % a.inner;
  float top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < a.n; ++i) top = Largest()(top, to_float(x[at + i * a.inner]));
  for (int64_t i = 0; i < a.n; ++i) sum += expf(to_float(x[at + i * a.inner]) - top);
  const float factor = 1 / sum, shift = top + logf(sum);
  for (int64_t i = 0; i < a.n; ++i) {
    const float v = to_float(x[at + i * a.inner]);
    y[at + i * a.inner] = from_float<T>(a.logarithm ? v - shift : expf(v - top) * factor);
  }
}

// A warp for each row of whole words that its registers hold. Constants are there before the inputs are.
template <class T, int N> __device__ void normalize_short_row(const RowNormArguments& a, const T* x, T* y) {
  constexpr int kPacks = kWarpRowElements / 32 / N;
  const int lane = threadIdx.x % 32, n = static_cast<int>(a.n);
  const int64_t row = int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32;
  const T *scale = static_cast<const T*>(a.scale), *bias = static_cast<const T*>(a.bias);
  Pack<T, N> kept[kPacks], factors[kPacks], summands[kPacks];
  const auto is_there = [&](int k) { return (k * 32 + lane) * N < n; };
  // All at once, zeros where there is nothing.
  const auto load = [&](Pack<T, N>(&to)[kPacks], const T* from) {
#pragma unroll
    for (int k = 0; k < kPacks; ++k) to[k] = load_if<T, N>(from + (k * 32 + lane) * N, from && is_there(k));
  };
  let_next_start();
  if (!a.vectors_are_constant) wait_for_inputs();
  load(factors, scale);
  load(summands, bias);
  wait_for_inputs();
  if (row >= a.rows) return;
  load(kept, x + row * n);
  // Sums of their own for each pack do not wait for each other.
  float v[kPacks][N], sums[kPacks], mean = 0, squares = 0;
#pragma unroll
  for (int k = 0; k < kPacks; ++k) {
    sums[k] = 0;
#pragma unroll
    for (int j = 0; j < N; ++j) sums[k] += v[k][j] = to_float(kept[k].at[j]);
  }
#pragma unroll
  for (int k = 0; k < kPacks; ++k) mean += sums[k];
  mean = a.subtract_mean ? combine_warp(mean, Sum()) * a.share : 0;
#pragma unroll
  for (int k = 0; k < kPacks; ++k) {
    sums[k] = 0;
#pragma unroll
    for (int j = 0; j < N; ++j) sums[k] += (v[k][j] - mean) * (v[k][j] - mean);
  }
#pragma unroll
  for (int k = 0; k < kPacks; ++k) squares += is_there(k) ? sums[k] : 0;
  const float inverse = rsqrtf(combine_warp(squares, Sum()) * a.share + a.epsilon);
#pragma unroll
  for (int k = 0; k < kPacks; ++k)
    if (is_there(k)) {
      Pack<T, N> result;
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const float normal = (v[k][j] - mean) * inverse, scaled = scale ? normal * to_float(factors[k].at[j]) : normal;
        result.at[j] = from_float<T>(scaled + to_float(summands[k].at[j]));
      }
      *reinterpret_cast<Pack<T, N>*>(y + row * n + (k * 32 + lane) * N) = result;
    }
  if (lane == 0) {
    if (a.mean) static_cast<float*>(a.mean)[row] = mean;
    if (a.inverse_deviation) static_cast<float*>(a.inverse_deviation)[row] = inverse;
  }
}

// Rows of up to kRowPacks packs a thread stay in registers.
template <class T, int N> __device__ void normalize_row(const RowNormArguments& a, const T* x, T* y) {
  begin_kernel();
  __shared__ float shared[32];
  const T* row = x + blockIdx.x * a.n;
  Pack<T, N> kept[kRowPacks];
#pragma unroll
  for (int k = 0; k < kRowPacks; ++k) {
    const int64_t i = (k * kRowThreads + threadIdx.x) * N;
    if (i < a.n) kept[k] = *reinterpret_cast<const Pack<T, N>*>(row + i);
  }
  // Calls f(index, pack) for each of the thread's packs.
  const auto each_pack = [&](const auto& f) {
#pragma unroll
    for (int k = 0; k < kRowPacks; ++k) {
      const int64_t i = (k * kRowThreads + threadIdx.x) * N;
      if (i < a.n) f(i, kept[k]);
    }
    for (int64_t i = (kRowPacks * kRowThreads + threadIdx.x) * N; i < a.n; i += kRowThreads * N)
      f(i, *reinterpret_cast<const Pack<T, N>*>(row + i));
  };
  float mean = 0, squares = 0;
  if (a.subtract_mean) {
    each_pack([&](int64_t, const Pack<T, N>& pack) {
#pragma unroll
      for (int j = 0; j < N; ++j) mean += to_float(pack.at[j]);
    });
    mean = combine_block(mean, 0.0f, shared, Sum()) / a.n;
  }
  each_pack([&](int64_t, const Pack<T, N>& pack) {
#pragma unroll
    for (int j = 0; j < N; ++j) squares += (to_float(pack.at[j]) - mean) * (to_float(pack.at[j]) - mean);
  });
  const float inverse = 1 / sqrtf(combine_block(squares, 0.0f, shared, Sum()) / a.n + a.epsilon);
  const T *scale = static_cast<const T*>(a.scale), *bias = static_cast<const T*>(a.bias);
  each_pack([&](int64_t i, const Pack<T, N>& pack) {
    Pack<T, N> result;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float normal = (to_float(pack.at[j]) - mean) * inverse * (scale ? to_float(scale[i + j]) : 1.0f);
      result.at[j] = from_float<T>(bias ? normal + to_float(bias[i + j]) : normal);
    }
    *reinterpret_cast<Pack<T, N>*>(y + blockIdx.x * a.n + i) = result;
  });
  if (threadIdx.x == 0) {
    if (a.mean) static_cast<float*>(a.mean)[blockIdx.x] = mean;
    if (a.inverse_deviation) static_cast<float*>(a.inverse_deviation)[blockIdx.x] = inverse;
  }
}

}  // namespace

// `words` and `short`: rows are made of aligned words of 16 bytes.
#define KILN_ROWS(name, type)                                                                                         \
  extern "C" __global__ void __launch_bounds__(kRowThreads) softmax_##name(SoftmaxArguments a, const type* x, type* y) { \
    softmax_row<type, 1>(a, x, y);                                                                                   \
  }                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(kRowThreads)                                                         \
      softmax_words_##name(SoftmaxArguments a, const type* x, type* y) {                                            \
    softmax_row<type, 16 / sizeof(type)>(a, x, y);                                                                   \
  }                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(kColumnThreads)                                                      \
      softmax_columns_##name(SoftmaxArguments a, const type* x, type* y) {                                          \
    softmax_column(a, x, y);                                                                                         \
  }                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(kRowThreads) row_norm_##name(RowNormArguments a, const type* x, type* y) { \
    normalize_row<type, 1>(a, x, y);                                                                                 \
  }                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(kRowThreads)                                                         \
      row_norm_words_##name(RowNormArguments a, const type* x, type* y) {                                           \
    normalize_row<type, 16 / sizeof(type)>(a, x, y);                                                                 \
  }                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(kRowThreads)                                                         \
      row_norm_short_##name(RowNormArguments a, const type* x, type* y) {                                           \
    normalize_short_row<type, 16 / sizeof(type)>(a, x, y);                                                           \
  }
KILN_ROWS(f16, __half)
KILN_ROWS(bf16, __nv_bfloat16)
KILN_ROWS(f32, float)

}  // namespace kiln::cuda
