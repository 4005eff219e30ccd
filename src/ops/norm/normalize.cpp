// Arithmetic that the normalisations share.
#include "ops/norm/normalize.h"

#include <cmath>

#include "base/index.h"
#include "ops/reference_math.h"

namespace kiln::ops {

Moments moments(const double* x, int64_t count, double epsilon) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {mean, 1 / std::sqrt(squares / static_cast<double>(count) + epsilon)};
}

Moments normalize(double* x, int64_t count, double epsilon) {
  const Moments m = moments(x, count, epsilon);
  for (int64_t i = 0; i < count; ++i) x[i] = (x[i] - m.mean) * m.inverse;
  return m;
}

void scale_and_shift(std::vector<double>& x, const Dims& dims, const Tensor& scale, const Tensor* shift) {
  if (x.empty()) return;
  const std::vector<double> factors = doubles(scale), terms = shift ? doubles(*shift) : std::vector<double>{0};
  const Dims factor_strides = broadcast_strides(scale.dims(), dims),
             term_strides = broadcast_strides(shift ? shift->dims() : Dims{}, dims);
  Dims index(dims.size(), 0);
  for (double& v : x) {
    v = v * nth(factors, dot(index, factor_strides)) + nth(terms, dot(index, term_strides));
    advance(index, dims);
  }
}

}  // namespace kiln::ops
