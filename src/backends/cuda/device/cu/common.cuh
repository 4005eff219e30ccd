// What the kernels share: element types, loads, sums over blocks; and what basics.cuh has.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "backends/cuda/device/cu/basics.cuh"

namespace kiln::cuda {

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
template <class T> __device__ inline T from_float(float x);
template <> __device__ inline float from_float<float>(float x) { return x; }
template <> __device__ inline __half from_float<__half>(float x) { return __float2half_rn(x); }
template <> __device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) { return __float2bfloat16_rn(x); }

// The word at `from`, or zeros when it is not `wanted`, without a branch: many such loads are on their way at once.
template <class T, int N> __device__ inline Pack<T, N> load_if(const T* from, bool wanted) {
  constexpr int kWords = sizeof(T) * N / 4;
  static_assert(kWords == 2 || kWords == 4);
  uint32_t words[4] = {};
  if constexpr (kWords == 2)
    asm volatile("{\n.reg .pred wanted;\nsetp.ne.s32 wanted, %3, 0;\n@wanted ld.global.v2.u32 {%0, %1}, [%2];\n}"
                 : "+r"(words[0]), "+r"(words[1])
                 : "l"(from), "r"(static_cast<int>(wanted)));
  else
    asm volatile("{\n.reg .pred wanted;\nsetp.ne.s32 wanted, %5, 0;\n@wanted ld.global.v4.u32 {%0, %1, %2, %3}, [%4];\n}"
                 : "+r"(words[0]), "+r"(words[1]), "+r"(words[2]), "+r"(words[3])
                 : "l"(from), "r"(static_cast<int>(wanted)));
  Pack<T, N> pack;
  memcpy(&pack, words, sizeof pack);
  return pack;
}

// The same for one element.
template <class T> __device__ inline T load_if(const T* from, bool wanted) {
  static_assert(sizeof(T) == 2 || sizeof(T) == 4);
  T element;
  if constexpr (sizeof(T) == 2) {
    uint16_t bits = 0;
    asm volatile("{\n.reg .pred wanted;\nsetp.ne.s32 wanted, %2, 0;\n@wanted ld.global.u16 %0, [%1];\n}"
                 : "+h"(bits)
                 : "l"(from), "r"(static_cast<int>(wanted)));
    memcpy(&element, &bits, sizeof bits);
  } else {
    uint32_t bits = 0;
    asm volatile("{\n.reg .pred wanted;\nsetp.ne.s32 wanted, %2, 0;\n@wanted ld.global.u32 %0, [%1];\n}"
                 : "+r"(bits)
                 : "l"(from), "r"(static_cast<int>(wanted)));
    memcpy(&element, &bits, sizeof bits);
  }
  return element;
}

inline constexpr unsigned kAllLanes = 0xffffffffu;

template <class T, class Combine> __device__ inline T combine_warp(T x, Combine combine) {
  for (int step = 16; step > 0; step /= 2) x = combine(x, __shfl_xor_sync(kAllLanes, x, step));
  return x;
}

// Of all threads of a block of whole warps; every thread gets the result. `shared` holds 32 values.
template <class T, class Combine> __device__ inline T combine_block(T x, T neutral, T* shared, Combine combine) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  x = combine_warp(x, combine);
  __syncthreads();
  if (lane == 0) shared[warp] = x;
  __syncthreads();
  x = lane < warps ? shared[lane] : neutral;
  return combine_warp(x, combine);
}

struct Sum {
  template <class T> __device__ T operator()(T a, T b) const { return a + b; }
};
// Carries NaN through.
struct Largest {
  template <class T> __device__ T operator()(T a, T b) const { return a > b || a != a ? a : b; }
};
struct Smallest {
  template <class T> __device__ T operator()(T a, T b) const { return a < b || a != a ? a : b; }
};

}  // namespace kiln::cuda
