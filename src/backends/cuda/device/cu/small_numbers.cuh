// Numbers of 8 bits and fewer: floats, and integers that lie in a byte from its lowest bits up.
#pragma once
#include "backends/cuda/device/cu/common.cuh"
#include "tensor/dtype.h"
#define KILN_EVERYWHERE __host__ __device__
#include "tensor/small_float.h"

namespace kiln::cuda {

__device__ inline bool is_small_float(DType type) { return type >= DType::kF8E4M3FN && type <= DType::kF4E2M1; }
__device__ inline bool is_packed_integer(DType type) { return type >= DType::kU2 && type <= DType::kI4; }

// Bits of an element of a type that lies in a byte or a part of one.
__device__ inline int bits_of_small(DType type) {
  return type == DType::kU2 || type == DType::kI2 ? 2 : type == DType::kU4 || type == DType::kI4 || type == DType::kF4E2M1 ? 4 : 8;
}

// Element `at` of what is packed.
__device__ inline uint32_t small_bits(DType type, const void* data, int64_t at) {
  const int bits = bits_of_small(type);
  const int64_t bit = at * bits;
  return static_cast<const uint8_t*>(data)[bit / 8] >> (bit % 8) & ((1u << bits) - 1);
}

__device__ inline int64_t packed_integer(DType type, uint32_t bits) {
  const int shift = 32 - bits_of_small(type);
  const bool is_signed = type == DType::kI2 || type == DType::kI4;
  return is_signed ? static_cast<int32_t>(bits << shift) >> shift : static_cast<int64_t>(bits);
}

// Calls of these keep programs short that have no such types.
static __device__ __noinline__ float small_float_value(DType type, uint32_t code) {
  constexpr SmallFormat e4m3 = kFormatE4M3FN, e4m3uz = kFormatE4M3FNUZ, e5m2 = kFormatE5M2, e5m2uz = kFormatE5M2FNUZ, e2m1 = kFormatE2M1;
  switch (type) {
    case DType::kF8E4M3FN: return static_cast<float>(decode(e4m3, code));
    case DType::kF8E4M3FNUZ: return static_cast<float>(decode(e4m3uz, code));
    case DType::kF8E5M2: return static_cast<float>(decode(e5m2, code));
    case DType::kF8E5M2FNUZ: return static_cast<float>(decode(e5m2uz, code));
    case DType::kF4E2M1: return static_cast<float>(decode(e2m1, code));
    default: return decode_e8m0(code);
  }
}

static __device__ __noinline__ uint32_t small_float_code(DType type, double value, bool saturate) {
  constexpr SmallFormat e4m3 = kFormatE4M3FN, e4m3uz = kFormatE4M3FNUZ, e5m2 = kFormatE5M2, e5m2uz = kFormatE5M2FNUZ;
  switch (type) {
    case DType::kF8E4M3FN: return encode(e4m3, value, saturate);
    case DType::kF8E4M3FNUZ: return encode(e4m3uz, value, saturate);
    case DType::kF8E5M2: return encode(e5m2, value, saturate);
    case DType::kF8E5M2FNUZ: return encode(e5m2uz, value, saturate);
    case DType::kF4E2M1: return encode_f4(value);
    default: return encode_e8m0(static_cast<float>(value), E8M0Rounding::kUp, saturate);
  }
}

// Adjacent elements of a type of fewer than 8 bits, whose first is the first of a byte; `codes` holds them from the lowest bits up.
__device__ inline void store_packed(DType type, void* data, int64_t first, int count, uint32_t codes) {
  const int bits = bits_of_small(type);
  auto* to = static_cast<uint8_t*>(data) + first * bits / 8;
  for (int i = 0; i * 8 < count * bits; ++i) to[i] = static_cast<uint8_t>(codes >> (8 * i));
}

}  // namespace kiln::cuda
