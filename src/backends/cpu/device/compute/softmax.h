// Softmax and log-softmax on float32 and float64.
#pragma once
#include <cstdint>

namespace kiln::cpu {

// Added to scale * x before the softmax. Row r of the input, r = (i * dims[1] + j) * dims[2] + k, takes the mask row at
// i * strides[0] + j * strides[1] + k * strides[2], in elements; stride 0 broadcasts.
struct SoftmaxMask {
  const float* data = nullptr;
  int64_t dims[3] = {1, 1, 1}, strides[3] = {0, 0, 0};
};

// Along rows of `n` adjacent elements. x and y may be the same memory.
void softmax_rows(bool logarithm, int64_t rows, int64_t n, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                  float scale, const SoftmaxMask& mask, int threads) noexcept;
// Along the middle of [outer, n, inner], dense.
void softmax_middle(bool logarithm, int64_t outer, int64_t n, int64_t inner, const float* x, float* y,
                    int threads) noexcept;
void softmax_middle(bool logarithm, int64_t outer, int64_t n, int64_t inner, const double* x, double* y,
                    int threads) noexcept;

}  // namespace kiln::cpu
