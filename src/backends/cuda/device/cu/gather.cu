// Gather: slices along an axis, chosen by indices; a thread for each word of the result.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/gather.h"

namespace kiln::cuda {
namespace {

template <class T, class Index> __device__ void gather(const GatherArguments& a, const T* x, const Index* indices, T* y) {
  let_next_start();
  if (!a.constant_indices) wait_for_inputs();
  const uint32_t at = blockIdx.x * kGatherThreads + threadIdx.x;
  const uint32_t slice = a.inner.quotient(at), inner = at - slice * a.inner.divisor;
  const uint32_t outer = a.indices.quotient(slice);
  int64_t index = at < a.count ? indices[slice - outer * a.indices.divisor] : 0;
  wait_for_inputs();
  if (at >= a.count) return;
  if (index < 0) index += a.extent;
  const bool inside = index >= 0 && index < a.extent;
  y[at] = inside ? x[(outer * a.extent + index) * a.inner.divisor + inner] : T{};
}

}  // namespace

#define KILN_GATHER_INDEX(bytes, type, name, index)                                                        \
  extern "C" __global__ void __launch_bounds__(kGatherThreads)                                            \
      gather_##bytes##_##name(GatherArguments a, const type* x, const index* indices, type* y) {          \
    gather(a, x, indices, y);                                                                             \
  }
#define KILN_GATHER(bytes, type)                    \
  KILN_GATHER_INDEX(bytes, type, i32, int32_t)      \
  KILN_GATHER_INDEX(bytes, type, i64, int64_t)
KILN_GATHER(1, uint8_t)
KILN_GATHER(2, uint16_t)
KILN_GATHER(4, uint32_t)
KILN_GATHER(8, uint64_t)
KILN_GATHER(16, uint4)

}  // namespace kiln::cuda
