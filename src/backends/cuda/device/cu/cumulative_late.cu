// Running sums and products along an axis that only running tells: a thread for each line. Along an axis that there is not, results are zero:
// the host does not wait to see it.
#include "backends/cuda/device/cu/cumulative_late.h"
#include "backends/cuda/device/cu/wide.cuh"

namespace kiln::cuda {
namespace {

template <class T> __device__ void cumulate_late(const LateCumulativeArguments& a, const T* x, const void* given, T* y) {
  begin_kernel();
  const int64_t line = int64_t{blockIdx.x} * kLateLineThreads + threadIdx.x;
  int64_t axis = a.wide_axis ? *static_cast<const int64_t*>(given) : *static_cast<const int32_t*>(given);
  if (axis < 0) axis += a.rank;
  if (axis < 0 || axis >= a.rank) {
    if (line < a.count) y[line] = T{};
    return;
  }
  int64_t n = 1, inner = 1;
  for (int i = 0; i < a.rank; ++i) {
    if (i == axis) n = a.dims[i];
    if (i > axis) inner *= a.dims[i];
  }
  if (line >= a.count / n) return;
  const int64_t first = line / inner * n * inner + line % inner;
  Wide<T> sum = a.product ? 1 : 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = first + (a.reverse ? n - 1 - i : i) * inner;
    const Wide<T> value = widened(x[at]), with = a.product ? sum * value : sum + value;
    y[at] = narrowed<T>(a.exclusive ? sum : with);
    sum = with;
  }
}

}  // namespace

#define KILN_CUMULATIVE_LATE(name, type)                                                                              \
  extern "C" __global__ void __launch_bounds__(kLateLineThreads)                                                     \
      cumulative_late_##name(LateCumulativeArguments a, const type* x, const void* axis, type* y) {                  \
    cumulate_late(a, x, axis, y);                                                                                    \
  }
KILN_CUMULATIVE_LATE(f16, __half)
KILN_CUMULATIVE_LATE(bf16, __nv_bfloat16)
KILN_CUMULATIVE_LATE(f32, float)
KILN_CUMULATIVE_LATE(f64, double)
KILN_CUMULATIVE_LATE(i32, int32_t)
KILN_CUMULATIVE_LATE(i64, int64_t)

}  // namespace kiln::cuda
