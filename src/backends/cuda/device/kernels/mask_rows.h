// Masks of attention made ready for a library that would misread some of their rows.
#pragma once
#include "backends/cuda/device/cu/mask_rows.h"
#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

class MaskRows {
 public:
  explicit MaskRows(Gpu& gpu) : gpu_(gpu) {}
  // `dims` and `strides`, in elements, are those of a mask of [batch, heads, queries, keys], bool or of type `to`, which is that of the
  // rows: what is added to the scores, float16, bfloat16 or float32. May throw Error.
  Status plan(DType from, const Dims& dims, const Dims& strides, bool causal, DType to);
  // Rows without gaps.
  Status launch(Stream& stream, const void* mask, void* rows) const noexcept;

 private:
  Gpu& gpu_;
  Launch launch_;
  MaskRowsArguments arguments_ = {};
};

}  // namespace kiln::cuda::kernels
