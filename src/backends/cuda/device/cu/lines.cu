// Running sums and products, the place of the extreme element, a one there and zeros elsewhere, and the first elements in order, along an
// axis. Where lines are few and long, many blocks share them.
#include "backends/cuda/device/cu/lines.h"
#include "backends/cuda/device/cu/order.cuh"

namespace kiln::cuda {
namespace {

// The lines of a thread's column, or of its warp.
struct Place {
  int64_t line, first, step;
  bool there;
};
__device__ int64_t own_thread() { return int64_t{blockIdx.x} * kLineThreads + threadIdx.x; }
__device__ int64_t own_warp() { return int64_t{blockIdx.x} * (kLineThreads / 32) + threadIdx.x / 32; }
__device__ Place column_place(const Lines& l) {
  const int64_t line = own_thread();
  return {line, line / l.inner * l.n * l.inner + line % l.inner, l.inner, line < l.outer * l.inner};
}
__device__ Place warp_place(const Lines& l) {
  const int64_t line = own_warp();
  return {line, line * l.n, 1, line < l.outer};
}

template <class W> __device__ W accumulated(bool product, W a, W b) { return product ? a * b : a + b; }

// A part of a line, and what comes before it in the order of the sum.
struct Stretch {
  int64_t line, part, first, begin, end;
  bool there;
};
__device__ Stretch stretch_of(const Lines& l, const LineParts& parts, int64_t index) {
  const int64_t lines = l.outer * l.inner, line = index % lines, part = index / lines, begin = part * parts.chunk;
  return {line,  part, line / l.inner * l.n * l.inner + line % l.inner, begin, min(begin + parts.chunk, l.n),
          part < parts.count};
}

template <class T> __device__ Wide<T> neutral(const CumulativeArguments& a) { return a.product ? 1 : 0; }
__device__ int64_t element_of(const CumulativeArguments& a, int64_t first, int64_t i) {
  return first + (a.reverse ? a.lines.n - 1 - i : i) * a.lines.inner;
}

template <class T>
__device__ void cumulate_column(const CumulativeArguments& a, const T* x, T* y, const Stretch& s, Wide<T> so_far) {
  constexpr int kAtOnce = 8;
  for (int64_t i = s.begin; i < s.end; i += kAtOnce) {
    Wide<T> values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      values[k] = i + k < s.end ? widened(x[element_of(a, s.first, i + k)]) : neutral<T>(a);
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      const Wide<T> with = accumulated(a.product, so_far, values[k]);
      if (i + k < s.end) y[element_of(a, s.first, i + k)] = narrowed<T>(a.exclusive ? so_far : with);
      so_far = with;
    }
  }
}

// Of a row, a lane takes kOfLane adjacent elements at a time; `sum`: of the elements of the lanes up to this one.
constexpr int kOfLane = 4;
template <class W> __device__ W sum_of_lanes(bool product, W sum) {
  for (int step = 1; step < 32; step *= 2) {
    const W before = __shfl_up_sync(kAllLanes, sum, step);
    if (static_cast<int>(threadIdx.x % 32) >= step) sum = accumulated(product, before, sum);
  }
  return sum;
}
template <class T>
__device__ void load_lane(const CumulativeArguments& a, const T* x, const Stretch& s, int64_t i, Wide<T> (&to)[kOfLane]) {
#pragma unroll
  for (int k = 0; k < kOfLane; ++k)
    to[k] = i + k < s.end ? widened(x[element_of(a, s.first, i + k)]) : neutral<T>(a);
}

template <class T>
__device__ void cumulate_row(const CumulativeArguments& a, const T* x, T* y, const Stretch& s, Wide<T> so_far) {
  const int lane = threadIdx.x % 32;
  Wide<T> next[kOfLane];
  load_lane(a, x, s, s.begin + lane * kOfLane, next);
  for (int64_t first = s.begin; first < s.end; first += 32 * kOfLane) {
    const int64_t i = first + lane * kOfLane;
    Wide<T> own[kOfLane], sum = neutral<T>(a);
#pragma unroll
    for (int k = 0; k < kOfLane; ++k) sum = accumulated(a.product, sum, own[k] = next[k]);
    load_lane(a, x, s, i + 32 * kOfLane, next);
    sum = sum_of_lanes(a.product, sum);
    const Wide<T> before = __shfl_up_sync(kAllLanes, sum, 1);
    Wide<T> running = lane == 0 ? so_far : accumulated(a.product, so_far, before);
#pragma unroll
    for (int k = 0; k < kOfLane; ++k) {
      const Wide<T> with = accumulated(a.product, running, own[k]);
      if (i + k < s.end) y[element_of(a, s.first, i + k)] = narrowed<T>(a.exclusive ? running : with);
      running = with;
    }
    so_far = accumulated(a.product, so_far, __shfl_sync(kAllLanes, sum, 31));
  }
}

// starts: per line and part, the sum of what comes before; null where a line is one part.
template <class T>
__device__ void cumulate_columns(const CumulativeArguments& a, const T* x, T* y, const Wide<T>* starts) {
  begin_kernel();
  const Stretch s = stretch_of(a.lines, a.parts, own_thread());
  if (s.there) cumulate_column(a, x, y, s, starts ? starts[s.line * a.parts.count + s.part] : neutral<T>(a));
}
template <class T>
__device__ void cumulate_rows(const CumulativeArguments& a, const T* x, T* y, const Wide<T>* starts) {
  begin_kernel();
  const Stretch s = stretch_of(a.lines, a.parts, own_warp());
  if (s.there) cumulate_row(a, x, y, s, starts ? starts[s.line * a.parts.count + s.part] : neutral<T>(a));
}

// The sum of each part: of a column by a thread, of a row by a warp.
template <class T> __device__ void cumulative_totals(const CumulativeArguments& a, const T* x, Wide<T>* totals) {
  begin_kernel();
  const bool rows = a.lines.inner == 1;
  const Stretch s = stretch_of(a.lines, a.parts, rows ? own_warp() : own_thread());
  if (!s.there) return;
  Wide<T> sum = neutral<T>(a);
  const int64_t step = rows ? 32 : 1;
  constexpr int kAtOnce = 8;
  for (int64_t i = s.begin + (rows ? threadIdx.x % 32 : 0); i < s.end; i += kAtOnce * step) {
    Wide<T> values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      values[k] = i + k * step < s.end ? widened(x[element_of(a, s.first, i + k * step)]) : neutral<T>(a);
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) sum = accumulated(a.product, sum, values[k]);
  }
  if (rows) {
    for (int step = 16; step > 0; step /= 2) sum = accumulated(a.product, sum, __shfl_xor_sync(kAllLanes, sum, step));
    if (threadIdx.x % 32 > 0) return;
  }
  totals[s.line * a.parts.count + s.part] = sum;
}

// A block for each line: what comes before each part takes the place of its sum.
template <class T> __device__ void cumulative_starts(const CumulativeArguments& a, Wide<T>* totals) {
  begin_kernel();
  __shared__ Wide<T> of_warps[kLineThreads / 32];
  Wide<T>* own = totals + blockIdx.x * a.parts.count;
  const int64_t each = (a.parts.count + kLineThreads - 1) / kLineThreads;
  const int64_t begin = threadIdx.x * each, end = min(begin + each, a.parts.count);
  Wide<T> sum = neutral<T>(a);
  for (int64_t i = begin; i < end; ++i) sum = accumulated(a.product, sum, own[i]);
  sum = sum_of_lanes(a.product, sum);
  if (threadIdx.x % 32 == 31) of_warps[threadIdx.x / 32] = sum;
  const Wide<T> before = __shfl_up_sync(kAllLanes, sum, 1);
  __syncthreads();
  Wide<T> running = neutral<T>(a);
  for (int warp = 0; warp < static_cast<int>(threadIdx.x / 32); ++warp)
    running = accumulated(a.product, running, of_warps[warp]);
  if (threadIdx.x % 32 > 0) running = accumulated(a.product, running, before);
  for (int64_t i = begin; i < end; ++i) {
    const Wide<T> with = accumulated(a.product, running, own[i]);
    own[i] = running;
    running = with;
  }
}

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
__device__ Extreme best_of_lanes(const ArgExtremeArguments& a, Extreme best) {
  for (int step = 16; step > 0; step /= 2) {
    const Extreme other{__shfl_xor_sync(kAllLanes, best.key, step), __shfl_xor_sync(kAllLanes, best.index, step)};
    best = better(a, best, other);
  }
  return best;
}
template <class T> __device__ Extreme extreme_of_row(const ArgExtremeArguments& a, const Place& p, const T* x) {
  Extreme best{0, -1};
  for (int64_t i = threadIdx.x % 32; i < a.lines.n; i += 32) best = better(a, best, {order_key(x[p.first + i], !a.largest), i});
  return best_of_lanes(a, best);
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

// Of a part of the elements of `width` adjacent lines; found[part * lines + line].
template <class T> __device__ void arg_parts(const ArgExtremeArguments& a, const T* x, Extreme* found) {
  begin_kernel();
  __shared__ Extreme shared[kArgThreads];
  const int64_t part = blockIdx.x % a.parts.count, tile = blockIdx.x / a.parts.count;
  const int64_t tiles = (a.lines.inner + a.width - 1) / a.width, outer = tile / tiles;
  const int64_t column = tile % tiles * a.width + threadIdx.x % a.width;
  const int rows = kArgThreads / a.width, row = threadIdx.x / a.width;
  const bool there = row < rows && column < a.lines.inner;
  const int64_t begin = part * a.parts.chunk, end = min(begin + a.parts.chunk, a.lines.n);
  const T* from = x + outer * a.lines.n * a.lines.inner + column;
  constexpr int kAtOnce = 8;
  Extreme best{0, -1};
  for (int64_t i = begin + row; there && i < end; i += kAtOnce * rows) {
    T values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) values[k] = from[min(i + k * rows, end - 1) * a.lines.inner];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      if (i + k * rows < end) best = better(a, best, {order_key(values[k], !a.largest), i + k * rows});
  }
  shared[threadIdx.x] = best;
  for (int left = rows; left > 1;) {
    const int half = (left + 1) / 2;
    __syncthreads();
    if (row < left - half) shared[threadIdx.x] = better(a, shared[threadIdx.x], shared[threadIdx.x + half * a.width]);
    left = half;
  }
  if (there && row == 0) found[part * a.lines.outer * a.lines.inner + outer * a.lines.inner + column] = shared[threadIdx.x];
}

// places: one for each line.
template <class T> __device__ void hardmax_place(const ArgExtremeArguments& a, const int64_t* places, T* y) {
  begin_kernel();
  const int64_t at = own_thread();
  if (at >= a.lines.outer * a.lines.n * a.lines.inner) return;
  const int64_t row = at / a.lines.inner, line = row / a.lines.n * a.lines.inner + at % a.lines.inner;
  y[at] = narrowed<T>(row % a.lines.n == places[line]);
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

// A warp for each line: the extreme of its parts.
extern "C" __global__ void __launch_bounds__(kLineThreads)
    arg_extreme_finish(ArgExtremeArguments a, const Extreme* found, int64_t* places) {
  begin_kernel();
  const int64_t line = own_warp(), lines = a.lines.outer * a.lines.inner;
  if (line >= lines) return;
  Extreme best{0, -1};
  for (int64_t part = threadIdx.x % 32; part < a.parts.count; part += 32) best = better(a, best, found[part * lines + line]);
  best = best_of_lanes(a, best);
  if (threadIdx.x % 32 == 0) places[line] = best.index;
}

#define KILN_CUMULATIVE(name, type)                                                                               \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      cumulative_columns_##name(CumulativeArguments a, const type* x, type* y, const Wide<type>* starts) {       \
    cumulate_columns(a, x, y, starts);                                                                           \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      cumulative_rows_##name(CumulativeArguments a, const type* x, type* y, const Wide<type>* starts) {          \
    cumulate_rows(a, x, y, starts);                                                                              \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      cumulative_totals_##name(CumulativeArguments a, const type* x, Wide<type>* totals) {                       \
    cumulative_totals(a, x, totals);                                                                             \
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      cumulative_starts_##name(CumulativeArguments a, Wide<type>* totals) {                                      \
    cumulative_starts<type>(a, totals);                                                                          \
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
  extern "C" __global__ void __launch_bounds__(kArgThreads)                                                      \
      arg_extreme_parts_##name(ArgExtremeArguments a, const type* x, Extreme* found) {                           \
    arg_parts(a, x, found);                                                                                      \
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
  }                                                                                                              \
  extern "C" __global__ void __launch_bounds__(kLineThreads)                                                     \
      hardmax_place_##name(ArgExtremeArguments a, const int64_t* places, type* y) {                              \
    hardmax_place(a, places, y);                                                                                 \
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
KILN_ORDER(u64, uint64_t)
KILN_HARDMAX(f16, __half)
KILN_HARDMAX(bf16, __nv_bfloat16)
KILN_HARDMAX(f32, float)
KILN_HARDMAX(f64, double)

}  // namespace kiln::cuda
