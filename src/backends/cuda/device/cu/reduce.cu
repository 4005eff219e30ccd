// Reductions over any axes: a warp or a block for each result, or a thread where neighbouring results have neighbouring sources.
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

template <class T>
__device__ Running<Summed<T>> reduce_some(const ReduceArguments& a, const T* from, uint32_t begin, uint32_t step) {
  constexpr int kAtOnce = 4;  // loads on their way
  Running<Summed<T>> r = start<T>(a.kind);
  for (uint32_t i = begin; i < a.reduced.count; i += kAtOnce * step) {
    Summed<T> values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      int64_t at[1] = {0};
      if (i + k * step < a.reduced.count) a.reduced.offsets(i + k * step, at);
      values[k] = summand(from[at[0]]);
    }
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      if (i + k * step < a.reduced.count) r = combined(a.kind, r, element(a.kind, values[k]));
  }
  return r;
}

template <class S> __device__ Running<S> combine_lanes(ReduceKind kind, Running<S> r) {
  for (int step = 16; step > 0; step /= 2)
    r = combined(kind, r, Running<S>{__shfl_xor_sync(kAllLanes, r.value, step), __shfl_xor_sync(kAllLanes, r.top, step)});
  return r;
}

// A thread for each result.
template <class T> __device__ void reduce_columns(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kReduceThreads + threadIdx.x;
  if (index >= a.kept.count) return;
  int64_t at[2];
  a.kept.offsets(index, at);
  y[at[0]] = stored<T>(finished(a.kind, reduce_some(a, x + at[1], 0, 1), a.count));
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
    parts[warp][lane] = reduce_some(a, x + at[1], warp, kWarps);
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
  const Running<Summed<T>> r = combine_lanes(a.kind, reduce_some(a, x + at[1], threadIdx.x % 32, 32));
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
  const Running<Summed<T>> own = combine_lanes(a.kind, reduce_some(a, x + at[1], threadIdx.x, kReduceThreads));
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
#define KILN_REDUCE(name, type)          \
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
