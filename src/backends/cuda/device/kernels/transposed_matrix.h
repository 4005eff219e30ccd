// Constant matrices the other way round.
#pragma once
#include "tensor/tensor.h"

namespace kiln::cuda::kernels {

// [columns, rows] of a tensor of `rows` times `columns` elements of 1, 2, 4 or 8 bytes.
Tensor transposed_matrix(const Tensor& matrix, int64_t rows, int64_t columns);

}  // namespace kiln::cuda::kernels
