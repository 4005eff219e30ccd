// One element everywhere, ones on a diagonal, triangles of matrices, and a one for each index: a thread for each element of the result, or
// for a word of them.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/fill.h"
#include "backends/cuda/device/cu/word16.cuh"

namespace kiln::cuda {
namespace {

__device__ uint32_t own_element() { return blockIdx.x * kFillThreads + threadIdx.x; }

template <class T> __device__ void fill(int64_t count, const T* value, T* y) {
  begin_kernel();
  constexpr int kLanes = kFillBytes / sizeof(T);
  const int64_t first = (int64_t{blockIdx.x} * kFillThreads + threadIdx.x) * kLanes;
  if (first >= count) return;
  Pack<T, kLanes> word;
#pragma unroll
  for (int i = 0; i < kLanes; ++i) word.at[i] = *value;
  if (first + kLanes <= count && reinterpret_cast<uintptr_t>(y) % kFillBytes == 0)
    *reinterpret_cast<Pack<T, kLanes>*>(y + first) = word;
  else
    for (int64_t i = first; i < count && i < first + kLanes; ++i) y[i] = word.at[0];
}

template <class T> __device__ void eye(const EyeArguments& a, const T* one, T* y) {
  begin_kernel();
  const uint32_t i = own_element();
  if (i >= a.count) return;
  const uint32_t row = a.columns.quotient(i), column = i - row * a.columns.divisor;
  y[i] = int64_t{column} - row == a.k ? *one : T{};
}

// k: which diagonal; null: the main one.
template <class T> __device__ void trilu(const TriluArguments& a, const T* x, const int64_t* k, T* y) {
  begin_kernel();
  const uint32_t i = own_element();
  if (i >= a.count) return;
  const uint32_t line = a.columns.quotient(i), column = i - line * a.columns.divisor;
  const uint32_t row = line - a.rows.quotient(line) * a.rows.divisor;
  const int64_t diagonal = int64_t{column} - row, border = k ? *k : 0;
  y[i] = (a.upper ? diagonal >= border : diagonal <= border) ? x[i] : T{};
}

// values: off, on.
template <class T, class Index>
__device__ void one_hot(const OneHotArguments& a, const Index* indices, const T* values, T* y) {
  begin_kernel();
  const uint32_t i = own_element();
  if (i >= a.count) return;
  const uint32_t line = a.inner.quotient(i), inner = i - line * a.inner.divisor;
  const uint32_t outer = a.depth.quotient(line), place = line - outer * a.depth.divisor;
  const int64_t index = indices[outer * a.inner.divisor + inner];
  y[i] = values[(index < 0 ? index + a.depth.divisor : index) == place];
}

}  // namespace

#define KILN_FILL(bytes, type)                                                                                    \
  extern "C" __global__ void __launch_bounds__(kFillThreads) fill_##bytes(int64_t count, const type* value, type* y) { \
    fill(count, value, y);                                                                                        \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kFillThreads) eye_##bytes(EyeArguments a, const type* one, type* y) { \
    eye(a, one, y);                                                                                              \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kFillThreads)                                                     \
      trilu_##bytes(TriluArguments a, const type* x, const int64_t* k, type* y) {                                \
    trilu(a, x, k, y);                                                                                           \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kFillThreads)                                                     \
      one_hot_##bytes##_i32(OneHotArguments a, const int32_t* indices, const type* values, type* y) {            \
    one_hot(a, indices, values, y);                                                                              \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kFillThreads)                                                     \
      one_hot_##bytes##_i64(OneHotArguments a, const int64_t* indices, const type* values, type* y) {            \
    one_hot(a, indices, values, y);                                                                              \
  }
KILN_FILL(1, uint8_t)
KILN_FILL(2, uint16_t)
KILN_FILL(4, uint32_t)
KILN_FILL(8, uint64_t)
KILN_FILL(16, Word16)

}  // namespace kiln::cuda
