// Fourier transforms: a block has the frequencies of a line, its threads one each, and the line passes through shared memory. Sums are
// float64, because they cancel.
#include "backends/cuda/device/cu/dft.h"

#include "backends/cuda/device/cu/common.cuh"

namespace kiln::cuda {
namespace {

// Element t of the line, zeros beyond those given.
template <class T> __device__ double2 element_at(const DftArguments& a, const T* line, uint32_t t) {
  bool is_conjugate = false;
  if (a.mirrors && t > a.length / 2) {
    t = a.length - t;
    is_conjugate = true;
  }
  if (t >= a.given) return {};
  const T* at = line + int64_t{t} * a.inner.divisor * a.parts;
  double2 v{static_cast<double>(at[0]), a.parts == 2 ? static_cast<double>(at[1]) : 0.0};
  if (a.mirrors && (t == 0 || t * 2 == a.length)) v.y = 0;  // it has no partner, and is real
  if (is_conjugate) v.y = -v.y;
  return v;
}

template <class T> __device__ void dft(const DftArguments& a, const T* x, const double2* turns, T* y) {
  begin_kernel();
  __shared__ double2 part[kDftThreads];
  const uint32_t line = a.tiles.quotient(blockIdx.x), k = (blockIdx.x - line * a.tiles.divisor) * kDftThreads + threadIdx.x;
  const uint32_t outer = a.inner.quotient(line), inner = line - outer * a.inner.divisor;
  const T* from = x + (int64_t{outer} * a.given * a.inner.divisor + inner) * a.parts;
  double2 sum = {};
  for (uint32_t first = 0; first < a.length; first += kDftThreads) {
    __syncthreads();
    if (first + threadIdx.x < a.length) part[threadIdx.x] = element_at(a, from, first + threadIdx.x);
    __syncthreads();
    if (k >= a.made) continue;
    auto at = static_cast<uint32_t>(uint64_t{k} * first % a.length);
    const uint32_t count = min(a.length - first, static_cast<uint32_t>(kDftThreads));
    for (uint32_t i = 0; i < count; ++i) {
      const double2 v = part[i], turn = turns[at];
      sum.x += v.x * turn.x - v.y * turn.y;
      sum.y += v.x * turn.y + v.y * turn.x;
      at += k;
      if (at >= a.length) at -= a.length;
    }
  }
  if (k >= a.made) return;
  T* to = y + ((int64_t{outer} * a.made + k) * a.inner.divisor + inner) * a.made_parts;
  to[0] = static_cast<T>(sum.x * a.factor);
  if (a.made_parts == 2) to[1] = static_cast<T>(sum.y * a.factor);
}

}  // namespace

// The turns of a whole circle in `length` steps.
extern "C" __global__ void __launch_bounds__(kDftThreads) dft_turns(uint32_t length, double direction, double2* turns) {
  begin_kernel();
  const uint32_t i = blockIdx.x * kDftThreads + threadIdx.x;
  if (i >= length) return;
  double2 turn;
  sincospi(2.0 * i / length, &turn.y, &turn.x);
  turns[i] = {turn.x, turn.y * direction};
}
extern "C" __global__ void __launch_bounds__(kDftThreads)
    dft_f32(const __grid_constant__ DftArguments a, const float* x, const double2* turns, float* y) {
  dft(a, x, turns, y);
}
extern "C" __global__ void __launch_bounds__(kDftThreads)
    dft_f64(const __grid_constant__ DftArguments a, const double* x, const double2* turns, double* y) {
  dft(a, x, turns, y);
}

}  // namespace kiln::cuda
