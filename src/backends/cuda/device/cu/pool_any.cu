// Maximum with positions, mean and norm of windows over any number of dimensions: a thread for each result.
#include "backends/cuda/device/cu/pool_any.h"
#include "backends/cuda/device/cu/wide.cuh"

namespace kiln::cuda {
namespace {

__device__ int64_t quotient(int64_t n, int64_t by) { return by == 1 ? n : n / by; }

// How many of a window's elements from `first` on lie in an axis of that length.
__device__ int64_t reach(const PoolAnyAxis& w, int64_t first, int64_t taps, int64_t length) {
  return first >= length ? 0 : min(taps, quotient(length - 1 - first, w.dilation) + 1);
}

// The elements of a plane under one window: a box of them.
class Window {
 public:
  __device__ Window(const PoolAnyArguments& a, uint32_t index) : last_(a.axes - 1) {
    int64_t step = 1;
    for (int i = last_; i >= 0; --i) {
      const PoolAnyAxis& w = a.window[i];
      const uint32_t rest = a.out[i].quotient(index);
      const int64_t start = int64_t{index - rest * a.out[i].divisor} * w.stride, before = w.begin - start;
      const int64_t skipped = before > 0 ? min(quotient(before + w.dilation - 1, w.dilation), w.taps) : 0;
      const int64_t first = skipped * w.dilation - before;
      counts_[i] = reach(w, first, w.taps - skipped, w.in);
      divisor_ *= a.counts_padding ? reach(w, start, w.taps, w.begin + w.in + w.end) : counts_[i];
      is_empty_ |= counts_[i] == 0;
      first_ += first * step;
      steps_[i] = w.dilation * step;
      step *= w.in;
      index = rest;
    }
    plane_ = index;
  }

  __device__ int64_t plane() const { return plane_; }
  __device__ int64_t divisor() const { return divisor_; }

  // Calls body with the places of the elements in the plane, in their order.
  template <class Body> __device__ void each(const Body& body) const {
    if (is_empty_) return;
    int64_t index[kPoolAnyAxes] = {};
    int64_t at = first_;
    for (;;) {
      for (int64_t i = 0; i < counts_[last_]; ++i) body(at + i * steps_[last_]);
      int axis = last_;
      while (--axis >= 0) {
        at += steps_[axis];
        if (++index[axis] < counts_[axis]) break;
        at -= counts_[axis] * steps_[axis];
        index[axis] = 0;
      }
      if (axis < 0) return;
    }
  }

 private:
  int64_t counts_[kPoolAnyAxes], steps_[kPoolAnyAxes];
  int64_t first_ = 0, divisor_ = 1, plane_;
  int last_;
  bool is_empty_ = false;
};

__device__ int64_t column_major(const PoolAnyArguments& a, int64_t at) {
  int64_t result = 0, step = a.plane;
  for (int i = a.axes - 1; i >= 0; --i) {
    const int64_t in = a.window[i].in, rest = at / in;
    step /= in;
    result += (at - rest * in) * step;
    at = rest;
  }
  return result;
}

// What comes before all elements.
template <class T> __device__ T least() {
  if constexpr (std::is_same_v<T, int8_t>) return -128;
  else if constexpr (std::is_same_v<T, uint8_t>) return 0;
  else return narrowed<T>(-INFINITY);
}

// positions may be null.
template <class T> __device__ void pool_max(const PoolAnyArguments& a, const T* x, T* y, int64_t* positions) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kPoolAnyThreads + threadIdx.x;
  if (index >= a.count) return;
  const Window window(a, index);
  const T* const plane = x + window.plane() * a.plane;
  T best = least<T>();
  int64_t position = -1;
  window.each([&](int64_t at) {
    const T v = plane[at];
    const Wide<T> wide = widened(v), most = widened(best);
    if (position >= 0 && (wide <= most || most != most)) return;
    best = v;
    position = at;
  });
  y[index] = best;
  if (positions)
    positions[index] =
        position < 0 ? -1 : window.plane() * a.plane + (a.column_major ? column_major(a, position) : position);
}

template <class T> __device__ void pool_mean(const PoolAnyArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kPoolAnyThreads + threadIdx.x;
  if (index >= a.count) return;
  const Window window(a, index);
  const T* const plane = x + window.plane() * a.plane;
  Wide<T> sum = 0;
  window.each([&](int64_t at) { sum += widened(plane[at]); });
  y[index] = narrowed<T>(sum / static_cast<Wide<T>>(window.divisor()));
}

// In float64: powers of what float32 holds are beyond it.
template <class T> __device__ void pool_norm(const PoolAnyArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kPoolAnyThreads + threadIdx.x;
  if (index >= a.count) return;
  const Window window(a, index);
  const T* const plane = x + window.plane() * a.plane;
  double sum = 0;
  window.each([&](int64_t at) {
    const double v = fabs(static_cast<double>(widened(plane[at])));
    sum += a.p == 1 ? v : a.p == 2 ? v * v : pow(v, static_cast<double>(a.p));
  });
  y[index] = narrowed<T>(static_cast<Wide<T>>(a.p == 1 ? sum : a.p == 2 ? sqrt(sum) : pow(sum, 1.0 / a.p)));
}

}  // namespace

#define KILN_POOL_MAX(name, type)                                                                                  \
  extern "C" __global__ void __launch_bounds__(kPoolAnyThreads)                                                   \
      pool_max_##name(const __grid_constant__ PoolAnyArguments a, const type* x, type* y, int64_t* positions) {   \
    pool_max(a, x, y, positions);                                                                                 \
  }
#define KILN_POOL_FLOATS(name, type)                                                                               \
  KILN_POOL_MAX(name, type)                                                                                       \
  extern "C" __global__ void __launch_bounds__(kPoolAnyThreads)                                                   \
      pool_mean_##name(const __grid_constant__ PoolAnyArguments a, const type* x, type* y) {                      \
    pool_mean(a, x, y);                                                                                           \
  }                                                                                                               \
  extern "C" __global__ void __launch_bounds__(kPoolAnyThreads)                                                   \
      pool_norm_##name(const __grid_constant__ PoolAnyArguments a, const type* x, type* y) {                      \
    pool_norm(a, x, y);                                                                                           \
  }
KILN_POOL_FLOATS(f16, __half)
KILN_POOL_FLOATS(bf16, __nv_bfloat16)
KILN_POOL_FLOATS(f32, float)
KILN_POOL_FLOATS(f64, double)
KILN_POOL_MAX(i8, int8_t)
KILN_POOL_MAX(u8, uint8_t)

}  // namespace kiln::cuda
