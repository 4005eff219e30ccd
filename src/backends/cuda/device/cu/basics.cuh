// What all kernels share, generated ones too: the order between a kernel and the one before it, and words of elements.
#pragma once
#include <cstdint>

namespace kiln::cuda {

// The next kernel of the stream may start now, as far as there is room; it still waits for this one's results.
__device__ inline void let_next_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}
// Until the kernels before this one have run. Every thread that reads or writes anything but constants calls it first.
__device__ inline void wait_for_inputs() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ inline void begin_kernel() {
  let_next_start();
  wait_for_inputs();
}

// N adjacent elements that are read and written as one word.
template <class T, int N> struct alignas(sizeof(T) * N) Pack {
  T at[N];
};

}  // namespace kiln::cuda
