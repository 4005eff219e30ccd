// Arguments of the kernels of cu/product_plain.cu.
#pragma once
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kPlainTile = 16;  // rows and columns of a block

// y[rows, columns] = a[rows, terms] * b[terms, columns], for each matrix of the batch; strides in elements.
struct PlainProductArguments {
  uint32_t rows, columns, terms, matrices;
  int64_t a_row, a_term, b_term, b_column, y_row;
  Walk<3> batch;  // y, a, b
};

}  // namespace kiln::cuda
