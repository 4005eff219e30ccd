// Where of elements whose bits are kept: a thread for each element of the result.
#include "backends/cuda/device/cu/choose.h"
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/word16.cuh"

namespace kiln::cuda {
namespace {

template <class T>
__device__ void choose(const ChooseLoop& walk, const uint8_t* conditions, const T* yes, const T* no, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kChooseThreads + threadIdx.x;
  if (index >= walk.count) return;
  int64_t at[4];
  walk.offsets(index, at);
  y[at[0]] = conditions[at[1]] ? yes[at[2]] : no[at[3]];
}

}  // namespace

#define KILN_CHOOSE(bytes, type)                                                                                     \
  extern "C" __global__ void __launch_bounds__(kChooseThreads)                                                      \
      choose_##bytes(const __grid_constant__ ChooseLoop walk, const uint8_t* conditions, const type* yes, const type* no, \
                     type* y) {                                                                                     \
    choose(walk, conditions, yes, no, y);                                                                           \
  }
KILN_CHOOSE(1, uint8_t)
KILN_CHOOSE(2, uint16_t)
KILN_CHOOSE(4, uint32_t)
KILN_CHOOSE(8, uint64_t)
KILN_CHOOSE(16, Word16)

}  // namespace kiln::cuda
