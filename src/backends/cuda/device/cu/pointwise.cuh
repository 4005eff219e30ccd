// How pointwise kernels read and write elements of any float type: four adjacent ones of the innermost axis a thread.
#pragma once
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/pointwise.h"

namespace kiln::cuda {

__device__ inline float load_float(DType type, const void* data, int64_t at) {
  switch (type) {
    case DType::kF16: return to_float(static_cast<const __half*>(data)[at]);
    case DType::kBF16: return to_float(static_cast<const __nv_bfloat16*>(data)[at]);
    case DType::kBool: return static_cast<const uint8_t*>(data)[at] != 0;
    case DType::kU8: return static_cast<float>(static_cast<const uint8_t*>(data)[at]);
    case DType::kI8: return static_cast<float>(static_cast<const int8_t*>(data)[at]);
    case DType::kU16: return static_cast<float>(static_cast<const uint16_t*>(data)[at]);
    case DType::kI16: return static_cast<float>(static_cast<const int16_t*>(data)[at]);
    case DType::kU32: return static_cast<float>(static_cast<const uint32_t*>(data)[at]);
    case DType::kI32: return static_cast<float>(static_cast<const int32_t*>(data)[at]);
    case DType::kU64: return static_cast<float>(static_cast<const uint64_t*>(data)[at]);
    case DType::kI64: return static_cast<float>(static_cast<const int64_t*>(data)[at]);
    default: return static_cast<const float*>(data)[at];
  }
}

__device__ inline void store_float(DType type, void* data, int64_t at, float value) {
  switch (type) {
    case DType::kF16: static_cast<__half*>(data)[at] = from_float<__half>(value); break;
    case DType::kBF16: static_cast<__nv_bfloat16*>(data)[at] = from_float<__nv_bfloat16>(value); break;
    case DType::kBool: static_cast<uint8_t*>(data)[at] = value != 0; break;
    default: static_cast<float*>(data)[at] = value;
  }
}

template <class T> __device__ inline float4 four(const void* data, int64_t at) {
  const auto pack = *reinterpret_cast<const Pack<T, 4>*>(static_cast<const T*>(data) + at);
  return make_float4(to_float(pack.at[0]), to_float(pack.at[1]), to_float(pack.at[2]), to_float(pack.at[3]));
}
template <class T> __device__ inline void put_four(void* data, int64_t at, float4 v) {
  *reinterpret_cast<Pack<T, 4>*>(static_cast<T*>(data) + at) = {from_float<T>(v.x), from_float<T>(v.y), from_float<T>(v.z), from_float<T>(v.w)};
}

// Four adjacent elements lie in one aligned word.
__device__ inline bool in_a_word(DType type, const void* data, int64_t at, int64_t stride, int lanes) {
  const int bytes = type == DType::kF32 ? 4 : 2;
  return lanes == kLanes && stride == 1 && (type == DType::kF32 || type == DType::kF16 || type == DType::kBF16) &&
         (reinterpret_cast<uintptr_t>(data) + at * bytes) % (4 * bytes) == 0;
}

__device__ inline float4 load_lanes(DType type, const void* data, int64_t at, int64_t stride, int lanes) {
  if (in_a_word(type, data, at, stride, lanes)) {
    if (type == DType::kF16) return four<__half>(data, at);
    if (type == DType::kBF16) return four<__nv_bfloat16>(data, at);
    return four<float>(data, at);
  }
  float v[kLanes] = {};
  for (int i = 0; i < kLanes; ++i)
    if (i < lanes) v[i] = load_float(type, data, at + i * stride);
  return make_float4(v[0], v[1], v[2], v[3]);
}

__device__ inline void store_lanes(DType type, void* data, int64_t at, int64_t stride, int lanes, float4 value) {
  if (in_a_word(type, data, at, stride, lanes)) {
    if (type == DType::kF16) return put_four<__half>(data, at, value);
    if (type == DType::kBF16) return put_four<__nv_bfloat16>(data, at, value);
    return put_four<float>(data, at, value);
  }
  const float v[kLanes] = {value.x, value.y, value.z, value.w};
  for (int i = 0; i < kLanes; ++i)
    if (i < lanes) store_float(type, data, at + i * stride, v[i]);
}

__device__ inline float narrowed(DType type, float x) {
  return type == DType::kF16 ? to_float(from_float<__half>(x)) : to_float(from_float<__nv_bfloat16>(x));
}

}  // namespace kiln::cuda
