// Slices of a table of packed integers, dequantized as they are taken: a thread for each element.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/gather_dequantized.h"

namespace kiln::cuda {
namespace {

// Integer i of what is packed from the lowest bits on, without its sign.
__device__ int code_at(const GatherDequantizedArguments& a, const uint8_t* packed, int64_t i) {
  const int64_t bit = i * a.bits;
  return (packed[bit / 8] >> (bit % 8) & ((1 << a.bits) - 1)) ^ a.flip;
}

// zeros: may be null.
template <class Index>
__device__ void gather_dequantized(const GatherDequantizedArguments& a, const uint8_t* table, const Index* indices,
                                   const float* scales, const uint8_t* zeros, float* y) {
  begin_kernel();
  const uint32_t element = blockIdx.x * kGatherCodesThreads + threadIdx.x;
  if (element >= a.count) return;
  int64_t from = 0, scale = 0, zero = 0;
  bool inside = true;
  uint32_t rest = element;
  for (int axis = a.axes - 1; axis >= 0; --axis) {
    const uint32_t next = a.dims[axis].quotient(rest);
    uint32_t place = rest - next * a.dims[axis].divisor;
    rest = next;
    if (axis == a.axis) {
      int64_t index = indices[place];
      if (index < 0) index += a.extent;
      inside = index >= 0 && index < a.extent;
      place = inside ? static_cast<uint32_t>(index) : 0;
    }
    from += place * a.table_strides[axis];
    if (axis == a.block_axis) place = a.block.quotient(place);
    scale += place * a.scale_strides[axis];
    zero += place * a.zero_strides[axis];
  }
  const int centred = code_at(a, table, from) - (zeros ? code_at(a, zeros, zero) : a.flip);
  y[element] = inside ? static_cast<float>(centred) * scales[scale] : 0.0f;
}

}  // namespace

#define KILN_GATHER_DEQUANTIZED(name, index)                                                                       \
  extern "C" __global__ void __launch_bounds__(kGatherCodesThreads)                                               \
      gather_dequantized_##name(const __grid_constant__ GatherDequantizedArguments a, const uint8_t* table,       \
                                const index* indices, const float* scales, const uint8_t* zeros, float* y) {      \
    gather_dequantized(a, table, indices, scales, zeros, y);                                                      \
  }
KILN_GATHER_DEQUANTIZED(i32, int32_t)
KILN_GATHER_DEQUANTIZED(i64, int64_t)

}  // namespace kiln::cuda
