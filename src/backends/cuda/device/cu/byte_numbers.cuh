// Bytes dequantized and quantized as the operators Dequantize and Quantize do it, each operation rounded by itself.
#pragma once
#include "backends/cuda/device/cu/byte_numbers.h"

namespace kiln::cuda {

__device__ inline int byte_at(const uint8_t* data, int64_t at, bool is_signed) {
  const uint8_t byte = data[at];
  return is_signed ? static_cast<int8_t>(byte) : byte;
}
__device__ inline float dequantized(const ByteNumbers& n, const uint8_t* data, int64_t at) {
  return __fmul_rn(static_cast<float>(byte_at(data, at, n.is_signed) - n.zero), n.scale);
}

// Rounded and moved: within the bytes; NaN becomes the least.
template <class Real> __device__ inline uint8_t limited(Real x, bool is_signed) {
  const Real low = is_signed ? -128 : 0, high = is_signed ? 127 : 255;
  return static_cast<uint8_t>(static_cast<int>(x > low ? x < high ? x : high : low));
}
__device__ inline uint8_t quantized(const ByteNumbers& n, float x) {
  return limited(__fadd_rn(rintf(__fdiv_rn(x, n.scale)), static_cast<float>(n.zero)), n.is_signed);
}

}  // namespace kiln::cuda
