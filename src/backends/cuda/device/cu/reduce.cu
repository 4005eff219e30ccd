// Reductions over any axes: a warp or a block for each result, or a thread where neighbouring results have neighbouring sources.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/reduce.h"

namespace kiln::cuda {
namespace {

// A running result; LogSumExp keeps the largest element beside the sum of exponentials below it.
struct Running {
  float value, top;
};

__device__ Running start(ReduceKind kind) {
  if (kind == ReduceKind::kMax) return {-INFINITY, 0};
  if (kind == ReduceKind::kMin) return {INFINITY, 0};
  return {kind == ReduceKind::kProduct ? 1.0f : 0.0f, -INFINITY};
}

__device__ Running combined(ReduceKind kind, Running a, Running b) {
  if (kind == ReduceKind::kMax) return {Largest()(a.value, b.value), 0};
  if (kind == ReduceKind::kMin) return {Smallest()(a.value, b.value), 0};
  if (kind == ReduceKind::kProduct) return {a.value * b.value, 0};
  if (kind != ReduceKind::kLogSumExp) return {a.value + b.value, 0};
  if (a.top == b.top) return {a.value + b.value, a.top};
  if (a.top > b.top) return {a.value + b.value * expf(b.top - a.top), a.top};
  return {b.value + a.value * expf(a.top - b.top), b.top};
}

__device__ Running element(ReduceKind kind, float x) {
  if (kind == ReduceKind::kL1) return {fabsf(x), 0};
  if (kind == ReduceKind::kL2 || kind == ReduceKind::kSumSquares) return {x * x, 0};
  if (kind == ReduceKind::kLogSumExp) return x != x ? Running{x, -INFINITY} : Running{1, x};
  return {x, 0};
}

__device__ float finished(ReduceKind kind, Running r, double count) {
  if (kind == ReduceKind::kMean) return static_cast<float>(r.value / count);
  if (kind == ReduceKind::kL2) return sqrtf(r.value);
  if (kind == ReduceKind::kLogSum) return logf(r.value);
  if (kind == ReduceKind::kLogSumExp) return r.top + logf(r.value);
  return r.value;
}

template <class T>
__device__ Running reduce_some(const ReduceArguments& a, const T* from, uint32_t begin, uint32_t step) {
  constexpr int kAtOnce = 4;  // loads on their way
  Running r = start(a.kind);
  for (uint32_t i = begin; i < a.reduced.count; i += kAtOnce * step) {
    float values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      int64_t at[1] = {0};
      if (i + k * step < a.reduced.count) a.reduced.offsets(i + k * step, at);
      values[k] = to_float(from[at[0]]);
    }
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      if (i + k * step < a.reduced.count) r = combined(a.kind, r, element(a.kind, values[k]));
  }
  return r;
}

__device__ Running combine_lanes(ReduceKind kind, Running r) {
  for (int step = 16; step > 0; step /= 2)
    r = combined(kind, r, {__shfl_xor_sync(kAllLanes, r.value, step), __shfl_xor_sync(kAllLanes, r.top, step)});
  return r;
}

// A thread for each result.
template <class T> __device__ void reduce_columns(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kReduceThreads + threadIdx.x;
  if (index >= a.kept.count) return;
  int64_t at[2];
  a.kept.offsets(index, at);
  y[at[0]] = from_float<T>(finished(a.kind, reduce_some(a, x + at[1], 0, 1), a.count));
}

// Adjacent results from adjacent sources: the warps of a block share the work of 32 results.
template <class T> __device__ void reduce_shared_columns(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  constexpr int kWarps = kReduceThreads / 32;
  __shared__ Running parts[kWarps][32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const uint32_t index = blockIdx.x * 32 + lane;
  int64_t at[2] = {0, 0};
  if (index < a.kept.count) {
    a.kept.offsets(index, at);
    parts[warp][lane] = reduce_some(a, x + at[1], warp, kWarps);
  }
  __syncthreads();
  if (warp > 0 || index >= a.kept.count) return;
  Running r = parts[0][lane];
  for (int i = 1; i < kWarps; ++i) r = combined(a.kind, r, parts[i][lane]);
  y[at[0]] = from_float<T>(finished(a.kind, r, a.count));
}

// A warp for each result.
template <class T> __device__ void reduce_warps(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * (kReduceThreads / 32) + threadIdx.x / 32;
  if (index >= a.kept.count) return;
  int64_t at[2];
  a.kept.offsets(index, at);
  const Running r = combine_lanes(a.kind, reduce_some(a, x + at[1], threadIdx.x % 32, 32));
  if (threadIdx.x % 32 == 0) y[at[0]] = from_float<T>(finished(a.kind, r, a.count));
}

// A block for each result.
template <class T> __device__ void reduce_blocks(const ReduceArguments& a, const T* x, T* y) {
  begin_kernel();
  constexpr int kWarps = kReduceThreads / 32;
  __shared__ Running parts[kWarps];
  int64_t at[2];
  a.kept.offsets(blockIdx.x, at);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const Running own = combine_lanes(a.kind, reduce_some(a, x + at[1], threadIdx.x, kReduceThreads));
  if (lane == 0) parts[warp] = own;
  __syncthreads();
  if (warp > 0) return;
  const Running r = combine_lanes(a.kind, lane < kWarps ? parts[lane] : start(a.kind));
  if (lane == 0) y[at[0]] = from_float<T>(finished(a.kind, r, a.count));
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

}  // namespace kiln::cuda
