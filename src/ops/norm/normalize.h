// Arithmetic that the normalisations share.
#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace kiln::ops {

struct Moments {
  double mean, inverse;
};  // inverse: 1 / sqrt(variance + epsilon)
Moments moments(const double* x, int64_t count, double epsilon);
// x = (x - mean) * inverse, in place.
Moments normalize(double* x, int64_t count, double epsilon);
// x * scale + shift, both broadcast to `dims`; shift may be null.
void scale_and_shift(std::vector<double>& x, const Dims& dims, const Tensor& scale, const Tensor* shift);

}  // namespace kiln::ops
