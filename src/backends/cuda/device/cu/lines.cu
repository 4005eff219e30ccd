// Running sums and products, the place of the extreme element, a one there and zeros elsewhere, and the first elements in order, along an
// axis.
#include "backends/cuda/device/cu/lines.h"
#include "backends/cuda/device/cu/wide.cuh"

namespace kiln::cuda {
namespace {

// The lines of a thread's column, or of its warp.
struct Place {
  int64_t line, first, step;
  bool there;
};
__device__ Place column_place(const Lines& l) {
  const int64_t line = int64_t{blockIdx.x} * kLineThreads + threadIdx.x;
  return {line, line / l.inner * l.n * l.inner + line % l.inner, l.inner, line < l.outer * l.inner};
}
__device__ Place warp_place(const Lines& l) {
  const int64_t line = int64_t{blockIdx.x} * (kLineThreads / 32) + threadIdx.x / 32;
  return {line, line * l.n, 1, line < l.outer};
}

template <class W> __device__ W accumulated(bool product, W a, W b) { return product ? a * b : a + b; }

template <class T> __device__ void cumulate_column(const CumulativeArguments& a, const T* x, T* y) {
  begin_kernel();
  const Place p = column_place(a.lines);
  if (!p.there) return;
  Wide<T> so_far = a.product ? 1 : 0;
  for (int64_t i = 0; i < a.lines.n; ++i) {
    const int64_t at = p.first + (a.reverse ? a.lines.n - 1 - i : i) * p.step;
    const Wide<T> with = accumulated(a.product, so_far, widened(x[at]));
    y[at] = narrowed<T>(a.exclusive ? so_far : with);
    so_far = with;
  }
}

// A warp takes 32 elements at a time.
template <class T> __device__ void cumulate_row(const CumulativeArguments& a, const T* x, T* y) {
  begin_kernel();
  const Place p = warp_place(a.lines);
  if (!p.there) return;
  const int lane = threadIdx.x % 32;
  const Wide<T> neutral = a.product ? 1 : 0;
  Wide<T> so_far = neutral;
  for (int64_t first = 0; first < a.lines.n; first += 32) {
    const int64_t i = first + lane, at = p.first + (a.reverse ? a.lines.n - 1 - i : i);
    Wide<T> with = i < a.lines.n ? widened(x[at]) : neutral;
    for (int step = 1; step < 32; step *= 2) {
      const Wide<T> before = __shfl_up_sync(kAllLanes, with, step);
      if (lane >= step) with = accumulated(a.product, before, with);
    }
    with = accumulated(a.product, so_far, with);
    const Wide<T> before = __shfl_up_sync(kAllLanes, with, 1);
    if (i < a.lines.n) y[at] = narrowed<T>(!a.exclusive ? with : lane == 0 ? so_far : before);
    so_far = __shfl_sync(kAllLanes, with, 31);
  }
}

// Keys that compare as elements do: NaN is equal to NaN and beyond everything else, 0 equal to -0.
template <class T> __device__ int64_t order_key(T x, bool nan_first) {
  if constexpr (std::is_integral_v<T>) {
    return std::is_same_v<T, uint64_t> ? static_cast<int64_t>(x ^ uint64_t{1} << 63) : static_cast<int64_t>(x);
  } else if constexpr (std::is_same_v<T, double>) {
    if (x != x) return nan_first ? INT64_MIN : INT64_MAX;
    const int64_t bits = __double_as_longlong(x == 0 ? 0.0 : x);
    return bits < 0 ? INT64_MIN - bits : bits;
  } else {
    const float f = widened(x);
    if (f != f) return nan_first ? INT64_MIN : INT64_MAX;
    const int32_t bits = __float_as_int(f == 0 ? 0.0f : f);
    return bits < 0 ? INT32_MIN - int64_t{bits} : bits;
  }
}

struct Extreme {
  int64_t key, index;  // index -1: nothing yet
};
__device__ Extreme better(const ArgExtremeArguments& a, Extreme x, Extreme y) {
  if (x.index < 0 || y.index < 0) return x.index < 0 ? y : x;
  if (x.key != y.key) return (x.key > y.key) == (a.largest != 0) ? x : y;
  return (x.index < y.index) == (a.last == 0) ? x : y;
}

template <class T> __device__ Extreme extreme_of_column(const ArgExtremeArguments& a, const Place& p, const T* x) {
  Extreme best{0, -1};
  for (int64_t i = 0; i < a.lines.n; ++i)
    best = better(a, best, {order_key(x[p.first + i * p.step], !a.largest), i});
  return best;
}

// All lanes get it.
template <class T> __device__ Extreme extreme_of_row(const ArgExtremeArguments& a, const Place& p, const T* x) {
  Extreme best{0, -1};
  for (int64_t i = threadIdx.x % 32; i < a.lines.n; i += 32) best = better(a, best, {order_key(x[p.first + i], !a.largest), i});
  for (int step = 16; step > 0; step /= 2) {
    const Extreme other{__shfl_xor_sync(kAllLanes, best.key, step), __shfl_xor_sync(kAllLanes, best.index, step)};
    best = better(a, best, other);
  }
  return best;
}

template <class T> __device__ void arg_column(const ArgExtremeArguments& a, const T* x, int64_t* y) {
  begin_kernel();
  const Place p = column_place(a.lines);
  if (p.there) y[p.line] = extreme_of_column(a, p, x).index;
}

template <class T> __device__ void arg_row(const ArgExtremeArguments& a, const T* x, int64_t* y) {
  begin_kernel();
  const Place p = warp_place(a.lines);
  if (!p.there) return;
  const Extreme best = extreme_of_row(a, p, x);
  if (threadIdx.x % 32 == 0) y[p.line] = best.index;
}

template <class T> __device__ void hardmax_column(const ArgExtremeArguments& a, const T* x, T* y) {
  begin_kernel();
  const Place p = column_place(a.lines);
  if (!p.there) return;
  const int64_t best = extreme_of_column(a, p, x).index;
  for (int64_t i = 0; i < a.lines.n; ++i) y[p.first + i * p.step] = narrowed<T>(i == best);
}

template <class T> __device__ void hardmax_row(const ArgExtremeArguments& a, const T* x, T* y) {
  begin_kernel();
  const Place p = warp_place(a.lines);
  if (!p.there) return;
  const int64_t best = extreme_of_row(a, p, x).index;
  for (int64_t i = threadIdx.x % 32; i < a.lines.n; i += 32) y[p.first + i] = narrowed<T>(i == best);
}

// A block sorts a line in shared memory, by pairs at growing and shrinking distances.
template <class T> __device__ void top_k(const TopKArguments& a, const T* x, T* values, int64_t* indices) {
  begin_kernel();
  extern __shared__ int64_t keys[];
  auto* places = reinterpret_cast<uint32_t*>(keys + a.size);
  const int64_t line = blockIdx.x, outer = line / a.lines.inner, inner = line % a.lines.inner;
  const T* from = x + outer * a.lines.n * a.lines.inner + inner;
  for (uint32_t i = threadIdx.x; i < a.size; i += blockDim.x) {
    const bool there = i < a.lines.n;
    const int64_t key = there ? order_key(from[i * a.lines.inner], false) : 0;
    // Largest first: the complement of a key orders the other way round. What is not there comes last, by its place.
    keys[i] = a.largest ? ~key : key;
    places[i] = there ? i : UINT32_MAX;
  }
  const auto precedes = [&](uint32_t i, uint32_t j) {
    if (places[i] == UINT32_MAX || places[j] == UINT32_MAX) return places[i] < places[j];
    return keys[i] != keys[j] ? keys[i] < keys[j] : places[i] < places[j];
  };
  for (uint32_t run = 2; run <= a.size; run *= 2)
    for (uint32_t distance = run / 2; distance > 0; distance /= 2) {
      __syncthreads();
      for (uint32_t pair = threadIdx.x; pair < a.size / 2; pair += blockDim.x) {
        const uint32_t i = pair / distance * distance * 2 + pair % distance, j = i + distance;
        const bool ascending = (i & run) == 0;
        if (ascending ? precedes(j, i) : precedes(i, j)) {
          const int64_t key = keys[i];
          const uint32_t place = places[i];
          keys[i] = keys[j], places[i] = places[j];
          keys[j] = key, places[j] = place;
        }
      }
    }
  __syncthreads();
  for (uint32_t i = threadIdx.x; i < a.k; i += blockDim.x) {
    const int64_t to = (outer * a.k + i) * a.lines.inner + inner;
    values[to] = from[places[i] * a.lines.inner];
    if (indices) indices[to] = places[i];
  }
}

}  // namespace

#define KILN_CUMULATIVE(name, type)                                                                               \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      cumulative_columns_##name(CumulativeArguments a, const type* x, type* y) {                                 \
    cumulate_column(a, x, y);                                                                                    \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      cumulative_rows_##name(CumulativeArguments a, const type* x, type* y) {                                    \
    cumulate_row(a, x, y);                                                                                       \
  }
#define KILN_ORDER(name, type)                                                                                    \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      arg_extreme_columns_##name(ArgExtremeArguments a, const type* x, int64_t* y) {                             \
    arg_column(a, x, y);                                                                                         \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      arg_extreme_rows_##name(ArgExtremeArguments a, const type* x, int64_t* y) {                                \
    arg_row(a, x, y);                                                                                            \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kSortThreads)                                                     \
      top_k_##name(TopKArguments a, const type* x, type* values, int64_t* indices) {                             \
    top_k(a, x, values, indices);                                                                                \
  }
#define KILN_HARDMAX(name, type)                                                                                  \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      hardmax_columns_##name(ArgExtremeArguments a, const type* x, type* y) {                                    \
    hardmax_column(a, x, y);                                                                                     \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      hardmax_rows_##name(ArgExtremeArguments a, const type* x, type* y) {                                       \
    hardmax_row(a, x, y);                                                                                        \
  }
KILN_CUMULATIVE(f16, __half)
KILN_CUMULATIVE(bf16, __nv_bfloat16)
KILN_CUMULATIVE(f32, float)
KILN_CUMULATIVE(f64, double)
KILN_CUMULATIVE(i32, int32_t)
KILN_CUMULATIVE(i64, int64_t)
KILN_ORDER(f16, __half)
KILN_ORDER(bf16, __nv_bfloat16)
KILN_ORDER(f32, float)
KILN_ORDER(f64, double)
KILN_ORDER(i8, int8_t)
KILN_ORDER(u8, uint8_t)
KILN_ORDER(i32, int32_t)
KILN_ORDER(i64, int64_t)
KILN_HARDMAX(f16, __half)
KILN_HARDMAX(bf16, __nv_bfloat16)
KILN_HARDMAX(f32, float)
KILN_HARDMAX(f64, double)

}  // namespace kiln::cuda
