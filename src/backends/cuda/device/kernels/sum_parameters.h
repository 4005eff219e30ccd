// What kernels of products of bytes do with their sums, as parameters.
#pragma once
#include "backends/cuda/device/cu/sums.h"
#include "device/sum_steps.h"

namespace kiln::cuda::kernels {

struct ByteSums {
  int32_t x_zero = 0;  // the zero point of x where it is known
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v("x_zero", x_zero, -128, 255);
    v(sums);
  }
  void check() const;  // that there is no table or activation, and not too many steps
};

}  // namespace kiln::cuda::kernels
