// Maximum and mean of windows: a thread for each result, or for each word of adjacent channels.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/pool.h"

namespace kiln::cuda {
namespace {

template <PoolKind kKind, class T, int N> __device__ void pool(const PoolArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kPoolThreads + threadIdx.x;
  if (index >= a.to.count) return;
  const uint32_t pixel = a.groups.quotient(index), group = index - pixel * a.groups.divisor;
  const uint32_t line = a.columns.quotient(pixel), column = pixel - line * a.columns.divisor;
  const uint32_t batch = a.rows.quotient(line), row = line - batch * a.rows.divisor;
  const int h0 = static_cast<int>(row) * a.stride_h - a.top, w0 = static_cast<int>(column) * a.stride_w - a.left;
  x += batch * a.from_batch + group * a.from_group;
  float best[N];
#pragma unroll
  for (int j = 0; j < N; ++j) best[j] = kKind == PoolKind::kMax ? -INFINITY : 0;
  int inside = 0, padded = 0;
  for (int r = 0; r < a.kernel_h; ++r) {
    const int h = h0 + r * a.dilation_h;
    for (int s = 0; s < a.kernel_w; ++s) {
      const int w = w0 + s * a.dilation_w;
      padded += h < a.height + a.bottom && w < a.width + a.right;
      if (h < 0 || h >= a.height || w < 0 || w >= a.width) continue;
      ++inside;
      const auto pack = *reinterpret_cast<const Pack<T, N>*>(x + h * a.from_row + w * a.from_column);
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const float v = to_float(pack.at[j]);
        best[j] = kKind == PoolKind::kMax ? Largest()(v, best[j]) : best[j] + v;
      }
    }
  }
  const int count = kKind == PoolKind::kAverageWithPadding ? padded : inside;
  Pack<T, N> result;
#pragma unroll
  for (int j = 0; j < N; ++j) result.at[j] = from_float<T>(kKind == PoolKind::kMax ? best[j] : best[j] / count);
  int64_t at[1];
  a.to.offsets(index, at);
  *reinterpret_cast<Pack<T, N>*>(y + at[0]) = result;
}

}  // namespace

#define KILN_POOL_KIND(kind, name, type)                                                                          \
  extern "C" __global__ void __launch_bounds__(kPoolThreads)                                                     \
      pool_##kind##_##name(const __grid_constant__ PoolArguments a, const type* x, type* y) {                    \
    pool<static_cast<PoolKind>(kind), type, 1>(a, x, y);                                                         \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kPoolThreads)                                                     \
      pool_words_##kind##_##name(const __grid_constant__ PoolArguments a, const type* x, type* y) {              \
    pool<static_cast<PoolKind>(kind), type, 16 / sizeof(type)>(a, x, y);                                         \
  }
#define KILN_POOL(name, type)    \
  KILN_POOL_KIND(0, name, type)  \
  KILN_POOL_KIND(1, name, type)  \
  KILN_POOL_KIND(2, name, type)
KILN_POOL(f16, __half)
KILN_POOL(bf16, __nv_bfloat16)
KILN_POOL(f32, float)

}  // namespace kiln::cuda
