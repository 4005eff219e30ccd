// Casts to floats of 8 bits, with and without saturation, and to powers of two by any rounding: a thread for each element.
#include "backends/cuda/device/cu/cast_float8.h"
#include "backends/cuda/device/cu/small_numbers.cuh"

namespace kiln::cuda {
namespace {

// As the reference reads it: integers are rounded to float32 first, or to float64 where they become powers of two.
template <class T> __device__ double of_integer(const CastFloat8Arguments& a, T x) {
  return a.to == DType::kF8E8M0 ? static_cast<double>(x) : static_cast<float>(x);
}
__device__ double number_of(const CastFloat8Arguments& a, const void* x, int64_t at) {
  switch (a.from) {
    case DType::kF64: return static_cast<const double*>(x)[at];
    case DType::kF32: return static_cast<const float*>(x)[at];
    case DType::kF16: return to_float(static_cast<const __half*>(x)[at]);
    case DType::kBF16: return to_float(static_cast<const __nv_bfloat16*>(x)[at]);
    case DType::kBool: return static_cast<const uint8_t*>(x)[at] != 0;
    case DType::kU8: return static_cast<const uint8_t*>(x)[at];
    case DType::kI8: return static_cast<const int8_t*>(x)[at];
    case DType::kU16: return static_cast<const uint16_t*>(x)[at];
    case DType::kI16: return static_cast<const int16_t*>(x)[at];
    case DType::kU32: return of_integer(a, static_cast<const uint32_t*>(x)[at]);
    case DType::kI32: return of_integer(a, static_cast<const int32_t*>(x)[at]);
    case DType::kU64: return of_integer(a, static_cast<const uint64_t*>(x)[at]);
    case DType::kI64: return of_integer(a, static_cast<const int64_t*>(x)[at]);
    default: break;
  }
  const uint32_t bits = small_bits(a.from, x, at);
  return is_packed_integer(a.from) ? static_cast<double>(packed_integer(a.from, bits)) : small_float_value(a.from, bits);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kCastThreads) cast_float8(CastFloat8Arguments a, const void* x, uint8_t* y) {
  begin_kernel();
  const int64_t at = int64_t{blockIdx.x} * kCastThreads + threadIdx.x;
  if (at >= a.count) return;
  const double value = number_of(a, x, at);
  y[at] = static_cast<uint8_t>(a.to == DType::kF8E8M0 ? encode_e8m0(static_cast<float>(value), a.rounding, a.saturate)
                                                      : small_float_code(a.to, value, a.saturate));
}

}  // namespace kiln::cuda
