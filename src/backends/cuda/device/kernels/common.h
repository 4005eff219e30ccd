// What the kernels share on the host: checks of views, and sizes as arguments.
#pragma once
#include <algorithm>
#include <new>
#include <string>

#include "backends/cuda/device/cu/walk.h"
#include "backends/cuda/device/gpu.h"
#include "base/checked.h"
#include "base/guarded.h"
#include "device/device.h"
#include "device/parameters.h"
#include "device/views.h"
#include "device/workspace.h"

namespace kiln::cuda::kernels {

// Bytes of an element; 0 for types whose elements are not whole bytes.
inline int element_bytes(DType type) { return bits(type) % 8 == 0 ? bits(type) / 8 : 0; }

// Elements lie at multiples of their size, or of this, where that is less.
inline constexpr int kPlaceBytes = 8;

inline constexpr int64_t kWord = 16;  // bytes that a thread reads or stores at once

// Sizes as arguments of kernels, which are below 2^31.
inline uint32_t narrow(int64_t n) { return static_cast<uint32_t>(n); }
inline int32_t narrow_signed(int64_t n) { return static_cast<int32_t>(n); }
inline FastDivisor divisor(int64_t n) { return FastDivisor::of(narrow(n)); }

// Strides describe it, and it has its place.
inline bool is_plain(const TensorView& v) { return !v.slot && (v.strides || v.rank == 0); }

// Dimensions [begin, end) multiplied.
inline int64_t extent(const TensorView& v, int begin, int end) {
  int64_t n = 1;
  for (int i = begin; i < end; ++i) n *= v.dims[i];
  return n;
}

// The suffix of a function's name for float types that kernels compute with; null for others.
inline const char* float_suffix(DType type) {
  switch (type) {
    case DType::kF16: return "_f16";
    case DType::kBF16: return "_bf16";
    case DType::kF32: return "_f32";
    default: return nullptr;
  }
}

// The same with float64.
inline const char* real_suffix(DType type) { return type == DType::kF64 ? "_f64" : float_suffix(type); }

// The same with float64 and signed integers.
inline const char* number_suffix(DType type) {
  switch (type) {
    case DType::kI32: return "_i32";
    case DType::kI64: return "_i64";
    default: return real_suffix(type);
  }
}

template <class T> T* pointer_of(const TensorView& view) { return static_cast<T*>(view.data); }
inline bool is_aligned(const void* pointer, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(pointer) % static_cast<uintptr_t>(bytes) == 0;
}

// Blocks that cover `count` elements; fails when a grid does not hold so many.
inline unsigned blocks_for(int64_t count, int64_t per_block) {
  const int64_t blocks = ceil_div(count, per_block);
  if (blocks > INT32_MAX) throw Error(Code::kUnsupported, "a tensor is too large for the kernel");
  return static_cast<unsigned>(blocks);
}

}  // namespace kiln::cuda::kernels
