// Operands of attention.
#pragma once
#include <optional>

#include "backends/cuda/device/cu/attention.h"
#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

// A tensor seen as [batch, heads, rows, size].
struct Heads {
  int64_t batch, heads, rows, size;
  HeadStrides strides;
};

// Of [batch, heads, rows, size], or [batch, rows, heads * size].
inline std::optional<Heads> as_heads(const TensorView& v, int64_t heads) {
  if (!is_plain(v) || v.rank < 3 || v.rank > 4) return std::nullopt;
  if (v.strides[v.rank - 1] != 1 && v.dims[v.rank - 1] != 1) return std::nullopt;
  if (v.rank == 4) return Heads{v.dims[0], v.dims[1], v.dims[2], v.dims[3], {v.strides[0], v.strides[1], v.strides[2]}};
  if (heads < 1 || v.dims[2] % heads != 0) return std::nullopt;
  const int64_t size = v.dims[2] / heads;
  return Heads{v.dims[0], heads, v.dims[1], size, {v.strides[0], size, v.strides[1]}};
}

}  // namespace kiln::cuda::kernels
