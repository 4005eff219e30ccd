// Softmax, layer and RMS norm, layer norm of sums of rows of tables: a block for each row, or a warp for each short row. Sums are float32, or
// float64 where the elements are.
#include "backends/cuda/device/cu/rows.h"
#include "backends/cuda/device/cu/wide.cuh"

namespace kiln::cuda {
namespace {

template <class T, int N, class F> __device__ void each_of_row(const T* row, int64_t n, F f) {
  for (int64_t i = threadIdx.x * N; i < n; i += kRowThreads * N) {
    const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(row + i);
#pragma unroll
    for (int j = 0; j < N; ++j) f(i + j, widened(pack.at[j]));
  }
}

template <class T, int N, class F> __device__ void map_row(const T* row, T* to, int64_t n, F f) {
  for (int64_t i = threadIdx.x * N; i < n; i += kRowThreads * N) {
    Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(row + i);
#pragma unroll
    for (int j = 0; j < N; ++j) pack.at[j] = narrowed<T>(f(i + j, widened(pack.at[j])));
    *reinterpret_cast<Pack<T, N>*>(to + i) = pack;
  }
}

template <class T, int N> __device__ void softmax_row(const SoftmaxArguments& a, const T* x, T* y) {
  begin_kernel();
  __shared__ Wide<T> shared[32];
  const T* row = x + blockIdx.x * a.n;
  Wide<T> top = -INFINITY, sum = 0;
  each_of_row<T, N>(row, a.n, [&](int64_t, Wide<T> v) { top = Largest()(top, v); });
  top = combine_block<Wide<T>>(top, -INFINITY, shared, Largest());
  each_of_row<T, N>(row, a.n, [&](int64_t, Wide<T> v) { sum += exp(v - top); });
  sum = combine_block<Wide<T>>(sum, 0, shared, Sum());
  const Wide<T> factor = 1 / sum, shift = top + log(sum);
  if (a.logarithm) map_row<T, N>(row, y + blockIdx.x * a.n, a.n, [&](int64_t, Wide<T> v) { return v - shift; });
  else map_row<T, N>(row, y + blockIdx.x * a.n, a.n, [&](int64_t, Wide<T> v) { return exp(v - top) * factor; });
}

template <class T> __device__ void softmax_column(const SoftmaxArguments& a, const T* x, T* y) {
  begin_kernel();
  const int64_t column = int64_t{blockIdx.x} * kColumnThreads + threadIdx.x;
  if (column >= a.outer * a.inner) return;
  const int64_t at = column / a.inner * a.n * a.inner + column % a.inner;
  Wide<T> top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < a.n; ++i) top = Largest()(top, widened(x[at + i * a.inner]));
  for (int64_t i = 0; i < a.n; ++i) sum += exp(widened(x[at + i * a.inner]) - top);
  const Wide<T> factor = 1 / sum, shift = top + log(sum);
  for (int64_t i = 0; i < a.n; ++i) {
    const Wide<T> v = widened(x[at + i * a.inner]);
    y[at + i * a.inner] = narrowed<T>(a.logarithm ? v - shift : exp(v - top) * factor);
  }
}

// Packs of a short row that a lane of its warp holds.
template <int N> constexpr int kShortPacks = kWarpRowElements / 32 / N;

// All at once, zeros where there is nothing.
template <class T, int N> __device__ void load_short_row(Pack<T, N> (&to)[kShortPacks<N>], const T* from, bool wanted, int n) {
#pragma unroll
  for (int k = 0; k < kShortPacks<N>; ++k) {
    const int at = (k * 32 + threadIdx.x % 32) * N;
    to[k] = load_if<T, N>(from + at, wanted && at < n);
  }
}

// A warp for each row of whole words that its registers hold: `read` brings the lane's elements, zeros behind the end. Constants are there
// before the inputs are.
template <class T, int N, class Read> __device__ void normalize_short_row(const RowNormArguments& a, T* y, Read read) {
  constexpr int kPacks = kShortPacks<N>;
  const int lane = threadIdx.x % 32, n = static_cast<int>(a.n);
  const int64_t row = int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32;
  const T *scale = static_cast<const T*>(a.scale), *bias = static_cast<const T*>(a.bias);
  Pack<T, N> factors[kPacks], summands[kPacks];
  const auto is_there = [&](int k) { return (k * 32 + lane) * N < n; };
  let_next_start();
  if (!a.vectors_are_constant) wait_for_inputs();
  load_short_row(factors, scale, scale, n);
  load_short_row(summands, bias, bias, n);
  wait_for_inputs();
  if (row >= a.rows) return;
  float v[kPacks][N];
  read(row, v);
  // Sums of their own for each pack do not wait for each other.
  float sums[kPacks], mean = 0, squares = 0;
#pragma unroll
  for (int k = 0; k < kPacks; ++k) {
    sums[k] = 0;
#pragma unroll
    for (int j = 0; j < N; ++j) sums[k] += v[k][j];
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

template <class T, int N> __device__ void normalize_short_row(const RowNormArguments& a, const T* x, T* y) {
  normalize_short_row<T, N>(a, y, [&](int64_t row, float (&v)[kShortPacks<N>][N]) {
    Pack<T, N> kept[kShortPacks<N>];
    load_short_row(kept, x + row * a.n, true, static_cast<int>(a.n));
#pragma unroll
    for (int k = 0; k < kShortPacks<N>; ++k)
#pragma unroll
      for (int j = 0; j < N; ++j) v[k][j] = to_float(kept[k].at[j]);
  });
}

// Where a row of a sum begins; null where there is none, and where the index is outside of the table.
template <class T> __device__ const T* row_of(const EmbeddingRows& rows, uint32_t row, int64_t n) {
  if (!rows.table) return nullptr;
  int64_t at = row - rows.count.quotient(row) * rows.count.divisor;
  if (rows.indices) {
    at = rows.wide_indices ? static_cast<const int64_t*>(rows.indices)[at] : static_cast<const int32_t*>(rows.indices)[at];
    if (at < 0) at += rows.extent;
    if (at < 0 || at >= rows.extent) return nullptr;
  }
  return static_cast<const T*>(rows.table) + at * n;
}

template <class T, int N> __device__ void embedding_norm_short_row(const EmbeddingNormArguments& a, T* y) {
  normalize_short_row<T, N>(a.norm, y, [&](int64_t row, float (&v)[kShortPacks<N>][N]) {
    Pack<T, N> kept[kEmbeddingParts][kShortPacks<N>];
#pragma unroll
    for (int p = 0; p < kEmbeddingParts; ++p) {
      const T* from = row_of<T>(a.parts[p], static_cast<uint32_t>(row), a.norm.n);
      load_short_row(kept[p], from, from != nullptr, static_cast<int>(a.norm.n));
    }
#pragma unroll
    for (int k = 0; k < kShortPacks<N>; ++k)
#pragma unroll
      for (int j = 0; j < N; ++j) {
        v[k][j] = 0;
#pragma unroll
        for (int p = 0; p < kEmbeddingParts; ++p) v[k][j] += to_float(kept[p][k].at[j]);
      }
  });
}

// A block for each row of any length, which it reads three times.
template <class T> __device__ void embedding_norm_row(const EmbeddingNormArguments& a, T* y) {
  begin_kernel();
  __shared__ float shared[32];
  const RowNormArguments& norm = a.norm;
  const T* parts[kEmbeddingParts];
#pragma unroll
  for (int p = 0; p < kEmbeddingParts; ++p) parts[p] = row_of<T>(a.parts[p], blockIdx.x, norm.n);
  const auto each = [&](const auto& f) {
    for (int64_t i = threadIdx.x; i < norm.n; i += kRowThreads) {
      float v = 0;
#pragma unroll
      for (int p = 0; p < kEmbeddingParts; ++p) v += parts[p] ? to_float(parts[p][i]) : 0.0f;
      f(i, v);
    }
  };
  float mean = 0, squares = 0;
  each([&](int64_t, float v) { mean += v; });
  mean = combine_block(mean, 0.0f, shared, Sum()) * norm.share;
  each([&](int64_t, float v) { squares += (v - mean) * (v - mean); });
  const float inverse = rsqrtf(combine_block(squares, 0.0f, shared, Sum()) * norm.share + norm.epsilon);
  const T *scale = static_cast<const T*>(norm.scale), *bias = static_cast<const T*>(norm.bias);
  each([&](int64_t i, float v) {
    y[int64_t{blockIdx.x} * norm.n + i] = from_float<T>((v - mean) * inverse * to_float(scale[i]) + (bias ? to_float(bias[i]) : 0.0f));
  });
}

template <class T> __device__ Wide<T> epsilon_of(const RowNormArguments& a) {
  if constexpr (std::is_same_v<T, double>) return a.wide_epsilon;
  else return a.epsilon;
}

// Of the block's row.
template <class T> __device__ void store_statistic(const RowNormArguments& a, void* to, Wide<T> x) {
  if (!to) return;
  if (std::is_same_v<T, double> && a.wide_statistics) static_cast<double*>(to)[blockIdx.x] = x;
  else static_cast<float*>(to)[blockIdx.x] = static_cast<float>(x);
}

// Rows of up to kRowPacks packs a thread stay in registers.
template <class T, int N> __device__ void normalize_row(const RowNormArguments& a, const T* x, T* y) {
  begin_kernel();
  __shared__ Wide<T> shared[32];
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
  Wide<T> mean = 0, squares = 0;
  if (a.subtract_mean) {
    each_pack([&](int64_t, const Pack<T, N>& pack) {
#pragma unroll
      for (int j = 0; j < N; ++j) mean += widened(pack.at[j]);
    });
    mean = combine_block<Wide<T>>(mean, 0, shared, Sum()) / a.n;
  }
  each_pack([&](int64_t, const Pack<T, N>& pack) {
#pragma unroll
    for (int j = 0; j < N; ++j) squares += (widened(pack.at[j]) - mean) * (widened(pack.at[j]) - mean);
  });
  const Wide<T> inverse = 1 / sqrt(combine_block<Wide<T>>(squares, 0, shared, Sum()) / a.n + epsilon_of<T>(a));
  const T *scale = static_cast<const T*>(a.scale), *bias = static_cast<const T*>(a.bias);
  each_pack([&](int64_t i, const Pack<T, N>& pack) {
    Pack<T, N> result;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const Wide<T> normal = (widened(pack.at[j]) - mean) * inverse * (scale ? widened(scale[i + j]) : 1);
      result.at[j] = narrowed<T>(bias ? normal + widened(bias[i + j]) : normal);
    }
    *reinterpret_cast<Pack<T, N>*>(y + blockIdx.x * a.n + i) = result;
  });
  if (threadIdx.x == 0) {
    store_statistic<T>(a, a.mean, mean);
    store_statistic<T>(a, a.inverse_deviation, inverse);
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
  }
#define KILN_SHORT_ROWS(name, type)                                                                                 \
  extern "C" __global__ void __launch_bounds__(kRowThreads)                                                         \
      row_norm_short_##name(RowNormArguments a, const type* x, type* y) {                                           \
    normalize_short_row<type, 16 / sizeof(type)>(a, x, y);                                                           \
  }                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(kRowThreads)                                                         \
      embedding_norm_short_##name(EmbeddingNormArguments a, type* y) {                                              \
    embedding_norm_short_row<type, 16 / sizeof(type)>(a, y);                                                         \
  }                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(kRowThreads) embedding_norm_##name(EmbeddingNormArguments a, type* y) { \
    embedding_norm_row<type>(a, y);                                                                                  \
  }
KILN_ROWS(f16, __half)
KILN_ROWS(bf16, __nv_bfloat16)
KILN_ROWS(f32, float)
KILN_ROWS(f64, double)
KILN_SHORT_ROWS(f16, __half)
KILN_SHORT_ROWS(bf16, __nv_bfloat16)
KILN_SHORT_ROWS(f32, float)

}  // namespace kiln::cuda
