// GatherElements, GatherND, ScatterElements and ScatterND. What an index outside of its axis chooses is zero, and what it would change stays
// as it is: the host does not wait to see it.
#include <type_traits>

#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/indexed.h"
#include "backends/cuda/device/cu/word16.cuh"

namespace kiln::cuda {
namespace {

// Counted from the end when negative; -1 when it is outside.
__device__ int64_t place_index(int64_t index, int64_t extent) {
  if (index < 0) index += extent;
  return index >= 0 && index < extent ? index : -1;
}

template <class T> __device__ T combined(Combine how, T a, T b) {
  if constexpr (std::is_same_v<T, Word16>) {
    return b;
  } else if constexpr (std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16>) {
    return how == Combine::kReplace ? b : from_float<T>(combined(how, to_float(a), to_float(b)));
  } else {
    switch (how) {
      case Combine::kAdd: return a + b;
      case Combine::kMultiply: return a * b;
      case Combine::kLargest: return a != a || b != b ? a + b : a > b ? a : b;
      case Combine::kSmallest: return a != a || b != b ? a + b : a > b ? b : a;
      default: return b;
    }
  }
}

// A thread for each index.
template <class T, class Index> __device__ void gather_elements(const ElementsArguments& a, const T* x, const Index* indices, T* y) {
  begin_kernel();
  const uint32_t at = blockIdx.x * kIndexedThreads + threadIdx.x;
  if (at >= a.lines.count) return;
  int64_t from[2];
  a.lines.offsets(at, from);
  const int64_t index = place_index(indices[from[0]], a.extent);
  y[from[0]] = index < 0 ? T{} : x[from[1] + index * a.stride];
}

// A thread for each line, so that updates of one element keep their order.
template <class T, class Index>
__device__ void scatter_elements(const ElementsArguments& a, const Index* indices, const T* updates, T* y) {
  begin_kernel();
  const uint32_t at = blockIdx.x * kIndexedThreads + threadIdx.x;
  if (at >= a.lines.count) return;
  int64_t from[2];
  a.lines.offsets(at, from);
  for (uint32_t i = 0; i < a.count; ++i) {
    const int64_t place = from[0] + i * a.index_stride, index = place_index(indices[place], a.extent);
    if (index < 0) continue;
    T& to = y[from[1] + index * a.stride];
    to = combined(a.combine, to, updates[place]);
  }
}

// Where the slice of a tuple begins; -1 when an index is outside.
__device__ int64_t slice_of(const TuplesArguments& a, const int64_t* indices, uint32_t tuple) {
  int64_t at = a.per_batch.quotient(tuple) * a.batch_size;
  for (int k = 0; k < a.depth; ++k) {
    const int64_t index = place_index(indices[int64_t{tuple} * a.depth + k], a.extents[k]);
    if (index < 0) return -1;
    at += index * a.strides[k];
  }
  return at;
}

// A thread for each element.
template <class T> __device__ void gather_nd(const TuplesArguments& a, const T* x, const int64_t* indices, T* y) {
  begin_kernel();
  const uint32_t at = blockIdx.x * kIndexedThreads + threadIdx.x;
  if (at >= a.total) return;
  const uint32_t tuple = a.run.quotient(at);
  const int64_t slice = slice_of(a, indices, tuple);
  y[at] = slice < 0 ? T{} : x[slice + (at - tuple * a.run.divisor)];
}

// A thread for each element of a slice, which sees all tuples in order.
template <class T> __device__ void scatter_nd(const TuplesArguments& a, const int64_t* indices, const T* updates, T* y) {
  begin_kernel();
  const uint32_t at = blockIdx.x * kIndexedThreads + threadIdx.x;
  if (at >= a.run.divisor) return;
  for (uint32_t tuple = 0; tuple < a.tuples; ++tuple) {
    const int64_t slice = slice_of(a, indices, tuple);
    if (slice < 0) continue;
    T& to = y[slice + at];
    to = combined(a.combine, to, updates[int64_t{tuple} * a.run.divisor + at]);
  }
}

// No two tuples are equal: a thread for each element.
template <class T> __device__ void place_nd(const TuplesArguments& a, const int64_t* indices, const T* updates, T* y) {
  begin_kernel();
  const uint32_t at = blockIdx.x * kIndexedThreads + threadIdx.x;
  if (at >= a.total) return;
  const uint32_t tuple = a.run.quotient(at);
  const int64_t slice = slice_of(a, indices, tuple);
  if (slice >= 0) y[slice + (at - tuple * a.run.divisor)] = updates[at];
}

}  // namespace

#define KILN_GLOBAL extern "C" __global__ void __launch_bounds__(kIndexedThreads)
#define KILN_SCATTER_INDEX(name, type, suffix, index)                                                                 \
  KILN_GLOBAL scatter_elements_##name##_##suffix(const __grid_constant__ ElementsArguments a, const index* indices,  \
                                                 const type* updates, type* y) {                                     \
    scatter_elements(a, indices, updates, y);                                                                        \
  }
#define KILN_SCATTER(name, type)                                                                                      \
  KILN_SCATTER_INDEX(name, type, i32, int32_t)                                                                       \
  KILN_SCATTER_INDEX(name, type, i64, int64_t)                                                                       \
  KILN_GLOBAL scatter_nd_##name(const __grid_constant__ TuplesArguments a, const int64_t* indices, const type* updates, \
                                type* y) {                                                                           \
    scatter_nd(a, indices, updates, y);                                                                              \
  }
#define KILN_GATHER_INDEX(bytes, type, suffix, index)                                                                \
  KILN_GLOBAL gather_elements_##bytes##_##suffix(const __grid_constant__ ElementsArguments a, const type* x,         \
                                                 const index* indices, type* y) {                                    \
    gather_elements(a, x, indices, y);                                                                               \
  }
#define KILN_MOVE(bytes, type)                                                                                        \
  KILN_GATHER_INDEX(bytes, type, i32, int32_t)                                                                       \
  KILN_GATHER_INDEX(bytes, type, i64, int64_t)                                                                       \
  KILN_GLOBAL gather_nd_##bytes(const __grid_constant__ TuplesArguments a, const type* x, const int64_t* indices, type* y) { \
    gather_nd(a, x, indices, y);                                                                                     \
  }                                                                                                                  \
  KILN_GLOBAL place_nd_##bytes(const __grid_constant__ TuplesArguments a, const int64_t* indices, const type* updates, \
                               type* y) {                                                                            \
    place_nd(a, indices, updates, y);                                                                                \
  }                                                                                                                  \
  KILN_SCATTER(bytes, type)
KILN_MOVE(1, uint8_t)
KILN_MOVE(2, uint16_t)
KILN_MOVE(4, uint32_t)
KILN_MOVE(8, uint64_t)
KILN_MOVE(16, Word16)
KILN_SCATTER(f16, __half)
KILN_SCATTER(bf16, __nv_bfloat16)
KILN_SCATTER(f32, float)
KILN_SCATTER(f64, double)
KILN_SCATTER(i32, int32_t)
KILN_SCATTER(i64, int64_t)

}  // namespace kiln::cuda
