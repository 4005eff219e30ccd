// Pad: a thread for each element of the result.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/pad.h"
#include "backends/cuda/device/cu/word16.cuh"

namespace kiln::cuda {
namespace {

// Where position i of an axis, which may lie outside of it, takes its value; -1: from nowhere.
__device__ int64_t source_index(PadMode mode, int64_t i, int64_t extent) {
  if (i >= 0 && i < extent) return i;
  if (mode == PadMode::kConstant) return -1;
  if (mode == PadMode::kEdge) return i < 0 ? 0 : extent - 1;
  const int64_t period = mode == PadMode::kWrap ? extent : max(2 * (extent - 1), int64_t{1});
  const int64_t k = (i % period + period) % period;
  return k < extent ? k : period - k;
}

template <class T> __device__ void pad(const PadArguments& a, const T* x, const T* value, T* y) {
  begin_kernel();
  uint32_t index = blockIdx.x * kPadAxisThreads + threadIdx.x;
  if (index >= a.count) return;
  int64_t from = 0, to = 0;
  bool inside = true;
  for (int axis = a.axes - 1; axis >= 0; --axis) {
    const uint32_t rest = a.dims[axis].quotient(index), digit = index - rest * a.dims[axis].divisor;
    const int64_t source = source_index(a.mode, digit - a.before[axis], a.extents[axis]);
    inside = inside && source >= 0;
    from += source * a.from_strides[axis];
    to += digit * a.to_strides[axis];
    index = rest;
  }
  y[to] = inside ? x[from] : value ? *value : T{};
}

}  // namespace

#define KILN_PAD(bytes, type)                                                                                      \
  extern "C" __global__ void __launch_bounds__(kPadAxisThreads)                                                   \
      pad_##bytes(const __grid_constant__ PadArguments a, const type* x, const type* value, type* y) {            \
    pad(a, x, value, y);                                                                                          \
  }
KILN_PAD(1, uint8_t)
KILN_PAD(2, uint16_t)
KILN_PAD(4, uint32_t)
KILN_PAD(8, uint64_t)
KILN_PAD(16, Word16)

}  // namespace kiln::cuda
