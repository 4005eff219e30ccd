// Matrix products, float64.
#pragma once
#include <cstdint>

namespace kiln::cpu {

// c [m, n] = a [m, k] times b [k, n]; element (i, j) of a matrix lies at i * stride + j.
struct ProductF64 {
  int64_t m = 0, n = 0, k = 0;
  const double* a = nullptr;
  int64_t a_stride = 0;
  const double* b = nullptr;
  int64_t b_stride = 0;
  double* c = nullptr;
  int64_t c_stride = 0;
};
// The sums of an element are taken in the same order, however many threads there are.
void multiply_f64(const ProductF64& product, int threads) noexcept;

}  // namespace kiln::cpu
