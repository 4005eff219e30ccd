// Questions that kernels of every device ask of views.
#pragma once
#include <algorithm>

#include "device/device.h"

namespace kiln {

inline bool same_dims(const TensorView& a, const TensorView& b) {
  return a.rank == b.rank && std::equal(a.dims, a.dims + a.rank, b.dims);
}

inline bool is_byte(const TensorView& v) { return v.dtype == DType::kU8 || v.dtype == DType::kI8; }

}  // namespace kiln
