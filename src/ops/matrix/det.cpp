// Det: determinants of square matrices, by elimination with row exchanges.
#include <cmath>
#include <utility>

#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

double determinant(double* m, int64_t n) {
  double result = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i)
      if (std::abs(m[i * n + k]) > std::abs(m[pivot * n + k])) pivot = i;
    if (m[pivot * n + k] == 0) return 0;
    if (pivot != k) {
      result = -result;
      for (int64_t j = 0; j < n; ++j) std::swap(m[k * n + j], m[pivot * n + j]);
    }
    result *= m[k * n + k];
    for (int64_t i = k + 1; i < n; ++i) {
      poll_work(n);
      const double factor = m[i * n + k] / m[k * n + k];
      for (int64_t j = k; j < n; ++j) m[i * n + j] -= factor * m[k * n + j];
    }
  }
  return result;
}

}  // namespace

const OpDef det = op("Det")
                      .input("x", kFloatTypes)
                      .output("y", same_type("x"))
                      .shape([](ShapeCall& c) -> OutputShape {
                        require_rank(c, "x", 2, INT64_MAX);
                        const Shape& x = c.dims("x");
                        require_same(x[x.size() - 2], x.back(), "rows and columns of the matrices");
                        return Shape(x.begin(), x.end() - 2);
                      })
                      .reference([](RefCall& c) {
                        std::vector<double> x = doubles(c.input("x")), y(static_cast<size_t>(c.output().size()));
                        const int64_t n = c.input("x").dims().back();
                        for (size_t i = 0; i < y.size(); ++i)
                          y[i] = determinant(x.data() + static_cast<int64_t>(i) * n * n, n);
                        store(c.output(), y);
                      })
                      .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
