// Reductions over any axes: a warp or a block for each result, or a thread where neighbouring results have neighbouring sources. Blocks
// share the terms of few results: each makes parts of them, which a second kernel puts together in their order.
#include <type_traits>

#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/reduce.h"

namespace kiln::cuda {
namespace {

// What elements are summed up in: float32 for narrow types, 64 bits for integers, which wrap around.
template <class T> struct SumOf { using Type = float; };
template <> struct SumOf<double> { using Type = double; };
template <> struct SumOf<int32_t> { using Type = int64_t; };
template <> struct SumOf<int64_t> { using Type = int64_t; };
template <> struct SumOf<uint32_t> { using Type = uint64_t; };
template <> struct SumOf<uint64_t> { using Type = uint64_t; };
template <class T> using Summed = typename SumOf<T>::Type;
template <class S> constexpr bool kIsReal = S(0.5) != S(0);

template <class T> __device__ Summed<T> summand(T x) {
  if constexpr (sizeof(T) == 2) return to_float(x);
  else return x;
}
template <class T> __device__ T stored(Summed<T> x) {
  if constexpr (sizeof(T) == 2) return from_float<T>(x);
  else return static_cast<T>(x);
}

// The ends of a type.
template <class T> __device__ Summed<T> lowest() {
  if constexpr (kIsReal<Summed<T>>) return -INFINITY;
  else if constexpr (T(-1) > T(0)) return 0;
  else return sizeof(T) == 4 ? INT32_MIN : INT64_MIN;
}
template <class T> __device__ Summed<T> highest() {
  if constexpr (kIsReal<Summed<T>>) return INFINITY;
  else if constexpr (T(-1) > T(0)) return static_cast<T>(-1);
  else return sizeof(T) == 4 ? INT32_MAX : INT64_MAX;
}

// A running result; LogSumExp keeps the largest element beside the sum of exponentials below it.
template <class S> struct Running {
  S value, top;
};

// Below every element of LogSumExp.
template <class S> constexpr S kNothing = kIsReal<S> ? static_cast<S>(-INFINITY) : S(0);

template <class T> __device__ Running<Summed<T>> start(ReduceKind kind) {
  using S = Summed<T>;
  if (kind == ReduceKind::kMax) return {lowest<T>(), 0};
  if (kind == ReduceKind::kMin) return {highest<T>(), 0};
  return {kind == ReduceKind::kProduct ? S(1) : S(0), kNothing<S>};
}

template <class S> __device__ Running<S> combined(ReduceKind kind, Running<S> a, Running<S> b) {
  if (kind == ReduceKind::kMax) return {Largest()(a.value, b.value), 0};
  if (kind == ReduceKind::kMin) return {Smallest()(a.value, b.value), 0};
  if (kind == ReduceKind::kProduct) return {a.value * b.value, 0};
  if constexpr (kIsReal<S>)
    if (kind == ReduceKind::kLogSumExp && a.top != b.top) {
      if (a.top > b.top) return {a.value + b.value * exp(b.top - a.top), a.top};
      return {b.value + a.value * exp(a.top - b.top), b.top};
    }
  return {a.value + b.value, a.top};
}

template <class S> __device__ Running<S> element(ReduceKind kind, S x) {
  if (kind == ReduceKind::kL1) return {x < S(0) ? -x : x, kNothing<S>};
  if (kind == ReduceKind::kL2 || kind == ReduceKind::kSumSquares) return {x * x, kNothing<S>};
  if (kind == ReduceKind::kLogSumExp && x == x) return {1, x};
  return {x, kNothing<S>};
}

// Of integers there are only kinds without fractions.
template <class S> __device__ S finished(ReduceKind kind, Running<S> r, double count) {
  if constexpr (kIsReal<S>) {
    if (kind == ReduceKind::kMean) return static_cast<S>(r.value / count);
    if (kind == ReduceKind::kL2) return sqrt(r.value);
    if (kind == ReduceKind::kLogSum) return log(r.value);
    if (kind == ReduceKind::kLogSumExp) return r.top + log(r.value);
  }
  return r.value;
}

// Terms begin, begin + step, ... below `end`.
template <class T>
__device__ Running<Summed<T>> reduce_some(const ReduceArguments& a, const T* from, uint32_t begin, uint32_t step, uint32_t end) {
  constexpr int kAtOnce = 4;  // loads on their way
  Running<Summed<T>> r = start<T>(a.kind);
  for (uint32_t i = begin; i < end; i += kAtOnce * step) {
    Summed<T> values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      int64_t at[1] = {0};
      if (i + k * step < end) a.reduced.offsets(i + k * step, at);
      values[k] = summand(from[at[0]]);
    }
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      if (i + k * step < end) r = combined(a.kind, r, element(a.kind, values[k]));
  }
  return r;
}

template <class S> __device__ Running<S> combine_lanes(ReduceKind kind, Running<S> r) {
  for (int step = 16; step > 0; step /= 2)
    r = combined(kind, r, Running<S>{__shfl_xor_sync(kAllLanes, r.value, step), __shfl_xor_sync(kAllLanes, r.top, step)});
  return r;
}

// Calls `function` with the kind as a constant, by what becomes of each element: means and roots are those of sums. Exponentials take longer
// than what is read, and are not among them.
template <class S, class Function> __device__ Running<S> with_constant(ReduceKind kind, Function function) {
  using K = ReduceKind;
  switch (kind) {
    case K::kMax: return function(std::integral_constant<K, K::kMax>());
    case K::kMin: return function(std::integral_constant<K, K::kMin>());
    case K::kProduct: return function(std::integral_constant<K, K::kProduct>());
    case K::kL1: return function(std::integral_constant<K, K::kL1>());
    case K::kL2:
    case K::kSumSquares: return function(std::integral_constant<K, K::kSumSquares>());
    default: return function(std::integral_constant<K, K::kSum>());
  }
}

// Adjacent terms, in words of 16 bytes.
template <ReduceKind kKind, class T> __device__ Running<Summed<T>> reduce_adjacent(const T* from, uint32_t count) {
  constexpr uint32_t kElements = 16 / sizeof(T), kAtOnce = 4;
  using Word = Pack<T, kElements>;
  Running<Summed<T>> r = start<T>(kKind);
  const auto add = [&](T x) { r = combined(kKind, r, element(kKind, summand(x))); };
  const auto ahead = min(count, static_cast<uint32_t>((16 - reinterpret_cast<uintptr_t>(from) % 16) % 16 / sizeof(T)));
  if (threadIdx.x < ahead) add(from[threadIdx.x]);
  const auto* words = reinterpret_cast<const Word*>(from + ahead);
  const uint32_t whole = (count - ahead) / kElements;
  uint32_t i = threadIdx.x;
  for (; i + (kAtOnce - 1) * kReduceThreads < whole; i += kAtOnce * kReduceThreads) {
    Word w[kAtOnce];
#pragma unroll
    for (uint32_t k = 0; k < kAtOnce; ++k) w[k] = words[i + k * kReduceThreads];
#pragma unroll
    for (uint32_t k = 0; k < kAtOnce; ++k)
#pragma unroll
      for (uint32_t e = 0; e < kElements; ++e) add(w[k].at[e]);
  }
  for (; i < whole; i += kReduceThreads) {
    const Word w = words[i];
#pragma unroll
    for (uint32_t e = 0; e < kElements; ++e) add(w.at[e]);
  }
  for (uint32_t k = ahead + whole * kElements + threadIdx.x; k < count; k += kReduceThreads) add(from[k]);
  return r;
}

// Terms i, i + rows, ... below `end`, at equal distances.
template <ReduceKind kKind, class T>
__device__ Running<Summed<T>> reduce_rows(const T* from, int64_t step, uint32_t i, uint32_t end, uint32_t rows) {
  constexpr uint32_t kAtOnce = 8;
  Running<Summed<T>> r = start<T>(kKind);
  for (; i + (kAtOnce - 1) * rows < end; i += kAtOnce * rows) {
    Summed<T> values[kAtOnce];
#pragma unroll
    for (uint32_t k = 0; k < kAtOnce; ++k) values[k] = summand(from[(i + k * rows) * step]);
#pragma unroll
    for (uint32_t k = 0; k < kAtOnce; ++k) r = combined(kKind, r, element(kKind, values[k]));
  }
  for (; i < end; i += rows) r = combined(kKind, r, element(kKind, summand(from[i * step])));
  return r;
}

// What the threads of each column have, in the first row. Threads of a block are rows of `width`; those of a row that is not whole are in none.
template <class S> __device__ Running<S> combine_rows(ReduceKind kind, Running<S> own, uint32_t width) {
  __shared__ Running<S> shared[kReduceThreads];
  const uint32_t t = threadIdx.x;
  shared[t] = own;
  for (uint32_t left = kReduceThreads / width; left > 1;) {
    const uint32_t half = (left + 1) / 2;
    __syncthreads();
    if (t < (left - half) * width) shared[t] = combined(kind, shared[t], shared[t + half * width]);
    left = half;
  }
  return shared[t];
}

// A part of the terms of `width` results; `parts` has the results of each part one after the other.
template <class T> __device__ void reduce_parts(const ReducePartsArguments& a, const T* x, Running<Summed<T>>* parts) {
  using S = Summed<T>;
  begin_kernel();
  const uint32_t tile = a.parts.quotient(blockIdx.x), part = blockIdx.x - tile * a.parts.divisor;
  const uint32_t rows = kReduceThreads / a.width, row = threadIdx.x / a.width, result = tile * a.width + threadIdx.x % a.width;
  const uint32_t begin = part * a.chunk, end = min(begin + a.chunk, a.reduce.reduced.count);
  Running<S> r = start<T>(a.reduce.kind);
  if (row < rows && result < a.reduce.kept.count) {
    int64_t at[2];
    a.reduce.kept.offsets(result, at);
    const T* from = x + at[1];
    if (a.step == 0 || a.reduce.kind == ReduceKind::kLogSumExp)
      r = reduce_some(a.reduce, from, begin + row, rows, end);
    else
      r = with_constant<S>(a.reduce.kind, [&](auto kind) {
        if (a.width == 1 && a.step == 1) return reduce_adjacent<kind.value>(from + begin, end - begin);
        return reduce_rows<kind.value>(from, a.step, begin + row, end, rows);
      });
  }
  r = combine_rows(a.reduce.kind, r, a.width);
  if (row == 0 && result < a.reduce.kept.count) parts[int64_t{part} * a.reduce.kept.count + result] = r;
}

template <class T> __device__ void reduce_finish(const ReducePartsArguments& a, const Running<Summed<T>>* parts, T* y) {
  begin_kernel();
  const uint32_t rows = kReduceThreads / a.width, row = threadIdx.x / a.width;
  const uint32_t result = blockIdx.x * a.width + threadIdx.x % a.width;
  const bool there = row < rows && result < a.reduce.kept.count;
  Running<Summed<T>> r = start<T>(a.reduce.kind);
  for (uint32_t part = row; there && part < a.parts.divisor; part += rows)
    r = combined(a.reduce.kind, r, parts[int64_t{part} * a.reduce.kept.count + result]);
  r = combine_rows(a.reduce.kind, r, a.width);
  if (!there || row > 0) return;
  int64_t at[2];
  a.reduce.kept.offsets(result, at);
  y[at[0]] = stored<T>(finished(a.reduce.kind, r, a.reduce.count));
}

// A thread for each result.
template <class T> __device__ void reduce_columns(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kReduceThreads + threadIdx.x;
  if (index >= a.kept.count) return;
  int64_t at[2];
  a.kept.offsets(index, at);
  y[at[0]] = stored<T>(finished(a.kind, reduce_some(a, x + at[1], 0, 1, a.reduced.count), a.count));
}

// Adjacent results from adjacent sources: the warps of a block share the work of 32 results.
template <class T> __device__ void reduce_shared_columns(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  constexpr int kWarps = kReduceThreads / 32;
  __shared__ Running<Summed<T>> parts[kWarps][32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const uint32_t index = blockIdx.x * 32 + lane;
  int64_t at[2] = {0, 0};
  if (index < a.kept.count) {
    a.kept.offsets(index, at);
    parts[warp][lane] = reduce_some(a, x + at[1], warp, kWarps, a.reduced.count);
  }
  __syncthreads();
  if (warp > 0 || index >= a.kept.count) return;
  Running<Summed<T>> r = parts[0][lane];
  for (int i = 1; i < kWarps; ++i) r = combined(a.kind, r, parts[i][lane]);
  y[at[0]] = stored<T>(finished(a.kind, r, a.count));
}

// A warp for each result.
template <class T> __device__ void reduce_warps(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * (kReduceThreads / 32) + threadIdx.x / 32;
  if (index >= a.kept.count) return;
  int64_t at[2];
  a.kept.offsets(index, at);
  const Running<Summed<T>> r = combine_lanes(a.kind, reduce_some(a, x + at[1], threadIdx.x % 32, 32, a.reduced.count));
  if (threadIdx.x % 32 == 0) y[at[0]] = stored<T>(finished(a.kind, r, a.count));
}

// A block for each result.
template <class T> __device__ void reduce_blocks(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  constexpr int kWarps = kReduceThreads / 32;
  __shared__ Running<Summed<T>> parts[kWarps];
  int64_t at[2];
  a.kept.offsets(blockIdx.x, at);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const Running<Summed<T>> own = combine_lanes(a.kind, reduce_some(a, x + at[1], threadIdx.x, kReduceThreads, a.reduced.count));
  if (lane == 0) parts[warp] = own;
  __syncthreads();
  if (warp > 0) return;
  const Running<Summed<T>> r = combine_lanes(a.kind, lane < kWarps ? parts[lane] : start<T>(a.kind));
  if (lane == 0) y[at[0]] = stored<T>(finished(a.kind, r, a.count));
}

}  // namespace

#define KILN_REDUCE_WAY(way, name, type)                                                          \
  extern "C" __global__ void __launch_bounds__(kReduceThreads)                                    \
      reduce_##way##_##name(const __grid_constant__ ReduceArguments a, const type* x, type* y) {  \
    reduce_##way(a, x, y);                                                                        \
  }
#define KILN_REDUCE_PARTS(name, type)                                                                                  \
  extern "C" __global__ void __launch_bounds__(kReduceThreads) reduce_parts_##name(                                  \
      const __grid_constant__ ReducePartsArguments a, const type* x, Running<Summed<type>>* parts) {                 \
    reduce_parts(a, x, parts);                                                                                       \
  }                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(kReduceThreads) reduce_finish_##name(                                 \
      const __grid_constant__ ReducePartsArguments a, const Running<Summed<type>>* parts, type* y) {                 \
    reduce_finish(a, parts, y);                                                                                      \
  }
#define KILN_REDUCE(name, type)          \
  KILN_REDUCE_PARTS(name, type)          \
  KILN_REDUCE_WAY(columns, name, type)   \
  KILN_REDUCE_WAY(shared_columns, name, type) \
  KILN_REDUCE_WAY(warps, name, type)     \
  KILN_REDUCE_WAY(blocks, name, type)
KILN_REDUCE(f16, __half)
KILN_REDUCE(bf16, __nv_bfloat16)
KILN_REDUCE(f32, float)
KILN_REDUCE(f64, double)
KILN_REDUCE(i32, int32_t)
KILN_REDUCE(i64, int64_t)
KILN_REDUCE(u32, uint32_t)
KILN_REDUCE(u64, uint64_t)

}  // namespace kiln::cuda
