// What is left to do to the results of a library's kernel.
#include "backends/cuda/device/cu/finish.h"
#include "backends/cuda/device/cu/epilogue.cuh"

namespace kiln::cuda {
namespace {

template <class T> __device__ void finish_results(const FinishArguments& a, T* y) {
  begin_kernel();
  const T* residual = static_cast<const T*>(a.epilogue.residual);
  const int64_t first = (int64_t{blockIdx.x} * kFinishRuns * kFinishThreads + threadIdx.x) * 8;
  Eight v[kFinishRuns];
  const auto place = [&](int run) { return first + run * kFinishThreads * 8; };
  const auto columns = [&](int run) { return static_cast<int>(max(min(a.count - place(run), int64_t{8}), int64_t{0})); };
  const auto where = [&](int run) -> RunPlace {
    if constexpr (!kRunsPrograms) return {0, 0, columns(run)};
    const int64_t row = place(run) / a.columns;
    return {static_cast<uint32_t>(row), static_cast<uint32_t>(place(run) - row * a.columns), columns(run)};
  };
#pragma unroll
  for (int run = 0; run < kFinishRuns; ++run) v[run] = load_run<T, 8>(y + place(run), a.epilogue.in_words, columns(run));
  if (a.epilogue.bias) {
    for (int run = 0; run < kFinishRuns; ++run) {
      int64_t column = place(run) % a.columns;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        v[run].at[i] += a.epilogue.bias[column];
        if (++column == a.columns) column = 0;
      }
    }
  }
#pragma unroll
  for (int run = 0; run < kFinishRuns; ++run)
    finish<T>(a.epilogue, v[run], residual ? residual + place(run) : nullptr, y + place(run), where(run));
}

}  // namespace

#define KILN_FINISH(name, type)                                                                             \
  extern "C" __global__ void __launch_bounds__(kFinishThreads) finish_##name(const __grid_constant__ FinishArguments a, type* y) { \
    finish_results(a, y);                                                                                   \
  }
KILN_FINISH(f16, __half)
KILN_FINISH(bf16, __nv_bfloat16)
KILN_FINISH(f32, float)

}  // namespace kiln::cuda
