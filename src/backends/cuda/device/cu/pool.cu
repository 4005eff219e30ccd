// Maximum and mean of windows: a thread for each result, or for each word of adjacent channels.
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/pool.h"

namespace kiln::cuda {

// Of bytes, and of less than all of them, where a window lies outside.
template <> __device__ inline uint8_t from_float<uint8_t>(float x) { return static_cast<uint8_t>(fmaxf(x, 0)); }
template <> __device__ inline int8_t from_float<int8_t>(float x) { return static_cast<int8_t>(fmaxf(x, -128)); }

namespace {

// What a window has seen.
template <PoolKind kKind, int N> struct Seen {
  Run<N> best;
  int inside = 0, padded = 0;

  __device__ Seen() {
#pragma unroll
    for (int j = 0; j < N; ++j) best.at[j] = kKind == PoolKind::kMax ? -INFINITY : 0;
  }
  __device__ void add(const Run<N>& v) {
    ++inside;
#pragma unroll
    for (int j = 0; j < N; ++j) best.at[j] = kKind == PoolKind::kMax ? Largest()(v.at[j], best.at[j]) : best.at[j] + v.at[j];
  }
  __device__ Run<N> result() const {
    if (kKind == PoolKind::kMax) return best;
    const int count = kKind == PoolKind::kAverageWithPadding ? padded : inside;
    return mapped(best, [=](float x) { return x / count; });
  }
};

// The first element under a window, and where it lies.
template <class T> struct Corner {
  const T* x;
  int h, w;
  __device__ bool inside(const PoolArguments& a, int down, int across) const {
    return static_cast<uint32_t>(h + down) < static_cast<uint32_t>(a.height) &&
           static_cast<uint32_t>(w + across) < static_cast<uint32_t>(a.width);
  }
  __device__ bool padded(const PoolArguments& a, int down, int across) const {
    return h + down < a.height + a.bottom && w + across < a.width + a.right;
  }
  __device__ const T* at(const PoolArguments& a, int down, int across) const {
    return x + (h + down) * a.from_row + (w + across) * a.from_column;
  }
};

template <PoolKind kKind, class T, int N> __device__ Seen<kKind, N> look(const PoolArguments& a, const Corner<T>& corner) {
  Seen<kKind, N> seen;
  for (int r = 0; r < a.kernel_h; ++r)
    for (int s = 0; s < a.kernel_w; ++s) {
      const int down = r * a.dilation_h, across = s * a.dilation_w;
      seen.padded += corner.padded(a, down, across);
      if (corner.inside(a, down, across)) seen.add(load_run<T, N>(corner.at(a, down, across), true, N));
    }
  return seen;
}

// A square window of constant size, all of it on its way at once.
template <PoolKind kKind, class T, int N, int kSide>
__device__ Seen<kKind, N> look_at_once(const PoolArguments& a, const Corner<T>& corner) {
  Pack<T, N> words[kSide * kSide];
#pragma unroll
  for (int i = 0; i < kSide * kSide; ++i) {
    const int down = i / kSide * a.dilation_h, across = i % kSide * a.dilation_w;
    words[i] = load_if<T, N>(corner.at(a, down, across), corner.inside(a, down, across));
  }
  Seen<kKind, N> seen;
#pragma unroll
  for (int i = 0; i < kSide * kSide; ++i) {
    const int down = i / kSide * a.dilation_h, across = i % kSide * a.dilation_w;
    seen.padded += corner.padded(a, down, across);
    if (corner.inside(a, down, across)) seen.add(run_of(words[i]));
  }
  return seen;
}

// kSide: of a square window; 0: any window.
template <PoolKind kKind, class T, int N, int kSide> __device__ void pool(const PoolArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kPoolThreads + threadIdx.x;
  if (index >= a.to.count) return;
  const uint32_t pixel = a.groups.quotient(index), group = index - pixel * a.groups.divisor;
  const uint32_t line = a.columns.quotient(pixel), column = pixel - line * a.columns.divisor;
  const uint32_t batch = a.rows.quotient(line), row = line - batch * a.rows.divisor;
  const Corner<T> corner{x + batch * a.from_batch + group * a.from_group, static_cast<int>(row) * a.stride_h - a.top,
                         static_cast<int>(column) * a.stride_w - a.left};
  Seen<kKind, N> seen;
  if constexpr (kSide > 0) seen = look_at_once<kKind, T, N, kSide>(a, corner);
  else seen = look<kKind, T, N>(a, corner);
  int64_t at[1];
  a.to.offsets(index, at);
  store_run(y + at[0], seen.result(), true, N);
}

}  // namespace

#define KILN_POOL_WAY(way, kind, name, type, lanes, side)                                            \
  extern "C" __global__ void __launch_bounds__(kPoolThreads)                                        \
      way##_##kind##_##name(const __grid_constant__ PoolArguments a, const type* x, type* y) {      \
    pool<static_cast<PoolKind>(kind), type, lanes, side>(a, x, y);                                  \
  }
#define KILN_POOL_KIND(kind, name, type)                                \
  KILN_POOL_WAY(pool, kind, name, type, 1, 0)                          \
  KILN_POOL_WAY(pool_words, kind, name, type, 16 / sizeof(type), 0)    \
  KILN_POOL_WAY(pool_words2, kind, name, type, 16 / sizeof(type), 2)   \
  KILN_POOL_WAY(pool_words3, kind, name, type, 16 / sizeof(type), 3)
#define KILN_POOL(name, type)    \
  KILN_POOL_KIND(0, name, type)  \
  KILN_POOL_KIND(1, name, type)  \
  KILN_POOL_KIND(2, name, type)
KILN_POOL(f16, __half)
KILN_POOL(bf16, __nv_bfloat16)
KILN_POOL(f32, float)
KILN_POOL_KIND(0, u8, uint8_t)
KILN_POOL_KIND(0, i8, int8_t)

}  // namespace kiln::cuda
