// What the kernels share: checks of views, and where results go.
#pragma once
#include <algorithm>
#include <new>

#include "backends/cpu/device/compute/parallel.h"
#include "base/checked.h"
#include "base/guarded.h"
#include "device/device.h"
#include "device/views.h"
#include "device/workspace.h"
#include "tensor/tensor.h"

namespace kiln::cpu::kernels {

// Bytes of an element; 0 for types whose elements are not whole bytes.
inline int element_bytes(DType type) { return bits(type) % 8 == 0 ? bits(type) / 8 : 0; }

// Strides describe it, and it has its place.
inline bool is_plain(const TensorView& v) { return !v.slot && (v.strides || v.rank == 0); }

// Bytes rounded up to whole cache lines.
inline size_t cache_lines(int64_t bytes) { return static_cast<size_t>(align_up(bytes, 64)); }

// Position of the row-major element `index`, in elements.
inline int64_t offset_of(const TensorView& v, int64_t index) {
  int64_t at = 0;
  for (int i = v.rank; i-- > 0;) {
    at += index % v.dims[i] * v.strides[i];
    index /= v.dims[i];
  }
  return at;
}

// A dense float32 tensor.
inline bool is_dense_f32(const TensorView& v) { return v.dtype == DType::kF32 && is_plain(v) && v.is_dense(); }

// Dimensions [begin, end) multiplied.
inline int64_t extent(const TensorView& v, int begin, int end) {
  int64_t n = 1;
  for (int i = begin; i < end; ++i) n *= v.dims[i];
  return n;
}

// Where a result of these dimensions goes: into its slot, which then owns it, or where the view says. Null: the view has another
// shape. Throws Error.
inline void* place_result(const TensorView& out, Dims dims) {
  if (!out.slot) return std::equal(dims.begin(), dims.end(), out.dims, out.dims + out.rank) ? out.data : nullptr;
  for (int64_t d : dims)
    if (d < 0) throw Error(Code::kInvalidArgument, "a result has a negative dimension");
  Tensor tensor = Tensor::allocate(out.dtype, std::move(dims));
  void* data = tensor.mutable_data();
  *out.slot = Datum(std::move(tensor));
  return data;
}

}  // namespace kiln::cpu::kernels
