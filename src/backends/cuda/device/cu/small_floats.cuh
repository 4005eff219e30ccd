// float16 and bfloat16 as bits, for kernels that are compiled without CUDA's headers.
#pragma once
#include <cstdint>

namespace kiln::cuda {

struct Half {
  uint16_t bits;
};
struct Bfloat {
  uint16_t bits;
};

__device__ inline float to_float(Half x) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
  return result;
}
__device__ inline float to_float(Bfloat x) { return __uint_as_float(static_cast<uint32_t>(x.bits) << 16); }

// To the nearest, of two the even one.
__device__ inline Half half_of(float x) {
  Half result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}
__device__ inline Bfloat bfloat_of(float x) {
  Bfloat result;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
#else
  const uint32_t bits = __float_as_uint(x);
  result.bits = static_cast<uint16_t>(x != x ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
#endif
  return result;
}

}  // namespace kiln::cuda
