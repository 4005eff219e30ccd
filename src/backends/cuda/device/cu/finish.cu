// What is left to do to the results of a library's kernel.
#include "backends/cuda/device/cu/finish.h"
#include "backends/cuda/device/cu/epilogue.cuh"

namespace kiln::cuda {
namespace {

template <class T> __device__ void finish_results(const FinishArguments& a, T* y) {
  begin_kernel();
  const int64_t at = (int64_t{blockIdx.x} * kFinishThreads + threadIdx.x) * 8;
  if (at >= a.count) return;
  const int columns = static_cast<int>(min(a.count - at, int64_t{8}));
  const Eight v = load_run<T, 8>(y + at, a.epilogue.in_words, columns);
  const T* residual = static_cast<const T*>(a.epilogue.residual);
  finish<T>(a.epilogue, v, residual ? residual + at : nullptr, y + at, columns);
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
