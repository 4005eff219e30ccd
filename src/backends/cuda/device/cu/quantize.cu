// Quantization and its inverse with scales of a tensor, of an axis or of blocks, between all types that have them.
#include "backends/cuda/device/cu/quantize.h"
#include "backends/cuda/device/cu/small_numbers.cuh"

namespace kiln::cuda {
namespace {

template <class Real> __device__ Real number_at(DType type, const void* data, int64_t at) {
  switch (type) {
    case DType::kF32: return static_cast<Real>(static_cast<const float*>(data)[at]);
    case DType::kF16: return static_cast<Real>(to_float(static_cast<const __half*>(data)[at]));
    case DType::kBF16: return static_cast<Real>(to_float(static_cast<const __nv_bfloat16*>(data)[at]));
    case DType::kF64: return static_cast<Real>(static_cast<const double*>(data)[at]);
    case DType::kI8: return static_cast<Real>(static_cast<const int8_t*>(data)[at]);
    case DType::kU8: return static_cast<Real>(static_cast<const uint8_t*>(data)[at]);
    case DType::kI16: return static_cast<Real>(static_cast<const int16_t*>(data)[at]);
    case DType::kU16: return static_cast<Real>(static_cast<const uint16_t*>(data)[at]);
    case DType::kI32: return static_cast<Real>(static_cast<const int32_t*>(data)[at]);
    default: break;
  }
  const uint32_t bits = small_bits(type, data, at);
  return static_cast<Real>(is_packed_integer(type) ? static_cast<float>(packed_integer(type, bits)) : small_float_value(type, bits));
}

template <class Real> __device__ Real rounded(DType type, Real x) {
  switch (type) {
    case DType::kF16:
      if constexpr (sizeof(Real) == 8) return to_float(__double2half(x));
      else return to_float(__float2half_rn(x));
    case DType::kBF16:
      if constexpr (sizeof(Real) == 8) return to_float(__double2bfloat16(x));
      else return to_float(__float2bfloat16_rn(x));
    case DType::kF32: return static_cast<float>(x);
    default: return x;
  }
}

template <class Real> __device__ Real parameter_at(const QuantizeParameter& p, uint32_t outer, uint32_t block, uint32_t inner) {
  return p.data ? number_at<Real>(p.type, p.data, outer * p.outer + block * p.axis + inner * p.inner) : Real(0);
}

// The bits of the nearest element of a type of 16 bits or fewer; NaN becomes the smallest integer.
template <class Real> __device__ uint32_t quantized(const QuantizeArguments& a, Real quotient, Real zero) {
  if (is_small_float(a.to)) return small_float_code(a.to, static_cast<double>(quotient) + static_cast<double>(zero), a.saturate);
  const bool is_signed = a.to == DType::kI2 || a.to == DType::kI4 || a.to == DType::kI8 || a.to == DType::kI16;
  const int bits = a.to == DType::kI16 || a.to == DType::kU16 ? 16 : bits_of_small(a.to);
  const Real high = static_cast<Real>((1 << (bits - is_signed)) - 1), low = is_signed ? -high - 1 : Real(0);
  const Real nearest = rint(quotient) + zero;
  const Real value = !(nearest > low) ? low : nearest < high ? nearest : high;
  return static_cast<uint32_t>(static_cast<int32_t>(value)) & ((1u << bits) - 1);
}

__device__ void store_real(DType type, void* data, int64_t at, float x) {
  switch (type) {
    case DType::kF16: static_cast<__half*>(data)[at] = __float2half_rn(x); break;
    case DType::kBF16: static_cast<__nv_bfloat16*>(data)[at] = __float2bfloat16_rn(x); break;
    case DType::kF64: static_cast<double*>(data)[at] = x; break;
    default: static_cast<float*>(data)[at] = x;
  }
}

template <bool kQuantizes, class Real> __device__ void convert_some(const QuantizeArguments& a) {
  begin_kernel();
  const uint32_t first = (blockIdx.x * kQuantizeThreads + threadIdx.x) * kQuantizeLanes;
  if (first >= a.count) return;
  const int count = min(static_cast<uint32_t>(kQuantizeLanes), a.count - first);
  const bool packs = kQuantizes && (is_packed_integer(a.to) || a.to == DType::kF4E2M1);
  uint32_t codes = 0;
#pragma unroll
  for (int lane = 0; lane < kQuantizeLanes; ++lane) {
    if (lane >= count) break;
    const uint32_t at = first + lane, line = a.inner.quotient(at), inner = at - line * a.inner.divisor;
    const uint32_t outer = a.extent.quotient(line), block = a.block.quotient(line - outer * a.extent.divisor);
    const Real x = number_at<Real>(a.from, a.x, at);
    const Real scale = parameter_at<Real>(a.scale, outer, block, inner), zero = parameter_at<Real>(a.zero, outer, block, inner);
    if constexpr (!kQuantizes) {
      store_real(a.to, a.y, at, __fmul_rn(static_cast<float>(x - zero), static_cast<float>(scale)));
    } else {
      const Real quotient = rounded(a.precision, rounded(a.precision, x) / rounded(a.precision, scale));
      const uint32_t code = quantized(a, quotient, zero);
      if (packs) codes |= code << (lane * bits_of_small(a.to));
      else if (a.to == DType::kI16 || a.to == DType::kU16) static_cast<uint16_t*>(a.y)[at] = static_cast<uint16_t>(code);
      else static_cast<uint8_t*>(a.y)[at] = static_cast<uint8_t>(code);
    }
  }
  if (packs) store_packed(a.to, a.y, first, count, codes);
}

}  // namespace

#define KILN_QUANTIZE(name, real)                                                                      \
  extern "C" __global__ void __launch_bounds__(kQuantizeThreads)                                      \
      quantize_##name(const __grid_constant__ QuantizeArguments a) {                                  \
    convert_some<true, real>(a);                                                                      \
  }                                                                                                   \
  extern "C" __global__ void __launch_bounds__(kQuantizeThreads)                                      \
      dequantize_##name(const __grid_constant__ QuantizeArguments a) {                                \
    convert_some<false, real>(a);                                                                     \
  }
KILN_QUANTIZE(f32, float)
KILN_QUANTIZE(f64, double)

}  // namespace kiln::cuda
