// Resize: a thread for each element of the result. Bytes that stand for numbers are resized in float64, in the order of the reference.
#include "backends/cuda/device/cu/byte_numbers.cuh"
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/resize.h"

namespace kiln::cuda {
namespace {

// Rounded as written: the host's reference says so, and neighbours depend on the last bit.
__device__ float coordinate(const ResizedAxis& a, uint32_t index) {
  const auto i = static_cast<float>(index);
  if (!a.by_halves) return __fdiv_rn(__fmul_rn(i, a.factor), a.divisor);
  return __fsub_rn(__fadd_rn(a.before, __fdiv_rn(i + 0.5f, a.scale)), a.after);
}

__device__ bool takes_right(NearestMode mode, float t) {
  if (t == 1) return true;
  switch (mode) {
    case NearestMode::kPreferFloor: return t > 0.5f;
    case NearestMode::kPreferCeil: return t >= 0.5f;
    default: return mode == NearestMode::kCeil;
  }
}

// Keys' kernel.
__device__ float cubic(float x, float a) {
  x = fabsf(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

// The elements of an axis that a result takes.
struct Taps {
  int64_t offsets[4];
  float weights[4];
};

__device__ Taps taps_of(const ResizeArguments& a, const ResizedAxis& axis, float x) {
  Taps taps = {};
  const float left = ceilf(x) - 1, t = x - left;  // t in (0, 1]
  auto first = static_cast<int64_t>(left);
  const int count = a.mode == ResizeMode::kNearest ? 1 : a.mode == ResizeMode::kLinear ? 2 : 4;
  if (a.mode == ResizeMode::kNearest) {
    first += takes_right(a.nearest, t);
    taps.weights[0] = 1;
  } else if (a.mode == ResizeMode::kLinear) {
    taps.weights[0] = 1 - t;
    taps.weights[1] = t;
  } else {
    first -= 1;
    for (int k = 0; k < 4; ++k) taps.weights[k] = cubic(k - 1 - t, a.cubic);
  }
  float sum = 0;
  for (int k = 0; k < count; ++k) {
    const int64_t at = first + k, inside = max(int64_t{0}, min(at, axis.extent - 1));
    if (a.exclude_outside && a.mode != ResizeMode::kNearest && at != inside) taps.weights[k] = 0;
    sum += taps.weights[k];
    taps.offsets[k] = inside * axis.stride;
  }
  if (a.exclude_outside && a.mode != ResizeMode::kNearest && sum != 0)
    for (int k = 0; k < count; ++k) taps.weights[k] /= sum;
  return taps;
}

// Where a result goes, what of the source it takes along the axes that stay, and its place along the others.
struct Target {
  int64_t from, to;
  uint32_t digits[kResizedAxes];
  bool there;
};
__device__ Target target_of(const ResizeArguments& a) {
  uint32_t index = blockIdx.x * kResizeThreads + threadIdx.x;
  Target t = {};
  t.there = index < a.count;
  for (int axis = a.axes - 1; axis >= 0; --axis) {
    const uint32_t rest = a.dims[axis].quotient(index), digit = index - rest * a.dims[axis].divisor;
    t.to += digit * a.to_strides[axis];
    if (a.which[axis] < 0) t.from += digit * a.from_strides[axis];
#pragma unroll
    for (int k = 0; k < kResizedAxes; ++k)
      if (a.which[axis] == k) t.digits[k] = digit;
    index = rest;
  }
  return t;
}

template <class T> __device__ void resize_nearest(const ResizeArguments& a, const T* x, T* y) {
  begin_kernel();
  const Target t = target_of(a);
  if (!t.there) return;
  int64_t from = t.from;
#pragma unroll
  for (int k = 0; k < kResizedAxes; ++k)
    if (k < a.resized) from += taps_of(a, a.maps[k], coordinate(a.maps[k], t.digits[k])).offsets[0];
  y[t.to] = x[from];
}

template <class T, int kTaps> __device__ float weighted_sum(const ResizeArguments& a, const T* x, const Target& t) {
  Taps taps[kResizedAxes] = {};
#pragma unroll
  for (int k = 0; k < kResizedAxes; ++k) {
    if (k < a.resized) taps[k] = taps_of(a, a.maps[k], coordinate(a.maps[k], t.digits[k]));
    else taps[k].weights[0] = 1;
  }
  float sum = 0;
  for (int i = 0; i < (a.resized > 2 ? kTaps : 1); ++i)
    for (int j = 0; j < (a.resized > 1 ? kTaps : 1); ++j)
      for (int k = 0; k < (a.resized > 0 ? kTaps : 1); ++k) {
        const float weight = taps[2].weights[i] * taps[1].weights[j] * taps[0].weights[k];
        if (weight != 0)  // what is not finite there is no part of the sum
          sum += weight * to_float(x[t.from + taps[2].offsets[i] + taps[1].offsets[j] + taps[0].offsets[k]]);
      }
  return sum;
}

template <class T> __device__ void resize_weighted(const ResizeArguments& a, const T* x, T* y) {
  begin_kernel();
  const Target t = target_of(a);
  if (!t.there) return;
  y[t.to] = from_float<T>(a.mode == ResizeMode::kLinear ? weighted_sum<T, 2>(a, x, t) : weighted_sum<T, 4>(a, x, t));
}

// The elements of an axis that a result takes, and their weights in float64, each operation rounded by itself.
struct WideTaps {
  int count;
  int64_t offsets[4];
  double weights[4];
};

__device__ double times(double a, double b) { return __dmul_rn(a, b); }
__device__ double plus(double a, double b) { return __dadd_rn(a, b); }

// Keys' kernel.
__device__ double wide_cubic(double x, double a) {
  x = fabs(x);
  if (x <= 1) return plus(times(times(plus(times(plus(a, 2), x), -plus(a, 3)), x), x), 1);
  if (x < 2) return plus(times(plus(times(plus(times(a, x), -times(5, a)), x), times(8, a)), x), -times(4, a));
  return 0;
}

__device__ WideTaps wide_taps_of(const ResizeBytesArguments& a, bool resizes, const ResizedAxis& axis, uint32_t index) {
  WideTaps taps = {1, {index * axis.stride}, {1}};
  if (!resizes) return taps;
  const double x = coordinate(axis, index), left = ceil(x) - 1, t = x - left;  // t in (0, 1]
  taps.count = a.is_cubic ? 4 : 2;
  const int64_t first = static_cast<int64_t>(left) - a.is_cubic;
  double sum = 0;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    if (k >= taps.count) break;
    const int64_t at = first + k, inside = max(int64_t{0}, min(at, axis.extent - 1));
    // The distances t + 1, t, 1 - t and 2 - t.
    taps.weights[k] = a.is_cubic ? wide_cubic(k < 2 ? plus(t, 1 - k) : plus(k - 1, -t), a.cubic) : k == 0 ? 1 - t : t;
    if (a.exclude_outside && at != inside) taps.weights[k] = 0;
    sum = plus(sum, taps.weights[k]);
    taps.offsets[k] = inside * axis.stride;
  }
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (a.exclude_outside && sum != 0) taps.weights[k] = __ddiv_rn(taps.weights[k], sum);
  return taps;
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kResizeThreads)
    resize_bytes(const __grid_constant__ ResizeBytesArguments a, const uint8_t* x, uint8_t* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kResizeThreads + threadIdx.x;
  if (index >= a.results.count) return;
  int64_t at[4];
  a.results.offsets(index, at);
  const WideTaps rows = wide_taps_of(a, a.resizes_rows, a.rows, static_cast<uint32_t>(at[2]));
  const WideTaps columns = wide_taps_of(a, a.resizes_columns, a.columns, static_cast<uint32_t>(at[3]));
  double sum = 0;
  for (int k = 0; k < columns.count; ++k) {
    if (columns.weights[k] == 0) continue;
    double of_rows = 0;
    for (int i = 0; i < rows.count; ++i)
      if (rows.weights[i] != 0)
        of_rows = plus(of_rows, times(rows.weights[i], dequantized(a.x, x + at[1], rows.offsets[i] + columns.offsets[k])));
    sum = plus(sum, times(columns.weights[k], of_rows));
  }
  y[at[0]] = quantized(a.y, static_cast<float>(sum));
}

#define KILN_RESIZE(how, name, type)                                                                  \
  extern "C" __global__ void __launch_bounds__(kResizeThreads)                                       \
      resize_##how##_##name(const __grid_constant__ ResizeArguments a, const type* x, type* y) {     \
    resize_##how(a, x, y);                                                                           \
  }
KILN_RESIZE(nearest, 1, uint8_t)
KILN_RESIZE(nearest, 2, uint16_t)
KILN_RESIZE(nearest, 4, uint32_t)
KILN_RESIZE(nearest, 8, uint64_t)
KILN_RESIZE(weighted, f16, __half)
KILN_RESIZE(weighted, bf16, __nv_bfloat16)
KILN_RESIZE(weighted, f32, float)

}  // namespace kiln::cuda
