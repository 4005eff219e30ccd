// What is left to do to the results of a library's kernel.
#include "backends/cuda/device/cu/finish.h"
#include "backends/cuda/device/cu/epilogue.cuh"

namespace kiln::cuda {
namespace {

// x (1 + erf(x / sqrt 2)) / 2 to 2e-7: erf by Abramowitz and Stegun 7.1.26, whose error results of 16 bits do not show.
__device__ float gelu(float x) {
  const float u = fabsf(x) * 0.70710678f, t = __fdividef(1, 1 + 0.3275911f * u);
  const float sum = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float tail = 0.5f * sum * __expf(-u * u);
  return x * (x >= 0 ? 1 - tail : tail);
}

template <class T> __device__ void finish_results(const FinishArguments& a, T* y) {
  begin_kernel();
  constexpr int kLanes = 16 / sizeof(T);
  const int64_t at = (int64_t{blockIdx.x} * kFinishThreads + threadIdx.x) * 8;
  if (at >= a.count) return;
  const int columns = static_cast<int>(min(a.count - at, int64_t{8}));
  Eight v = {};
  if (a.epilogue.in_words && columns == 8) {
#pragma unroll
    for (int i = 0; i < 8; i += kLanes) {
      const auto pack = *reinterpret_cast<const Pack<T, kLanes>*>(y + at + i);
#pragma unroll
      for (int j = 0; j < kLanes; ++j) v.at[i + j] = to_float(pack.at[j]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (i < columns) v.at[i] = to_float(y[at + i]);
  }
  EpilogueArguments rest = a.epilogue;
  if (sizeof(T) == 2 && rest.activation == Activation::kGeluErf) {
    v = mapped(v, [](float x) { return gelu(x); });
    rest.activation = Activation::kNone;
  }
  const T* residual = static_cast<const T*>(rest.residual);
  finish<T>(rest, v, residual ? residual + at : nullptr, y + at, columns);
}

}  // namespace

#define KILN_FINISH(name, type)                                                                             \
  extern "C" __global__ void __launch_bounds__(kFinishThreads) finish_##name(FinishArguments a, type* y) { \
    finish_results(a, y);                                                                                   \
  }
KILN_FINISH(f16, __half)
KILN_FINISH(bf16, __nv_bfloat16)
KILN_FINISH(f32, float)

}  // namespace kiln::cuda
