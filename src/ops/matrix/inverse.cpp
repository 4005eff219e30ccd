// Inverse: inverses of square matrices, by elimination with row exchanges.
#include <cmath>
#include <utility>

#include "base/index.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// Turns m into the identity, and what was the identity into its inverse.
void invert(std::vector<double>& m, std::vector<double>& inverse, int64_t n) {
  const auto at = [n](std::vector<double>& a, int64_t i, int64_t j) -> double& { return nth(a, i * n + j); };
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i)
      if (std::abs(at(m, i, k)) > std::abs(at(m, pivot, k))) pivot = i;
    for (int64_t j = 0; j < n; ++j) {
      std::swap(at(m, k, j), at(m, pivot, j));
      std::swap(at(inverse, k, j), at(inverse, pivot, j));
    }
    const double divisor = at(m, k, k);
    for (int64_t j = 0; j < n; ++j) {
      at(m, k, j) /= divisor;
      at(inverse, k, j) /= divisor;
    }
    for (int64_t i = 0; i < n; ++i) {
      poll_work(n);
      const double factor = at(m, i, k);
      for (int64_t j = 0; i != k && j < n; ++j) {
        at(m, i, j) -= factor * at(m, k, j);
        at(inverse, i, j) -= factor * at(inverse, k, j);
      }
    }
  }
}

void inverse_reference(RefCall& c) {
  const std::vector<double> x = doubles(c.input("X"));
  std::vector<double> y;
  const int64_t n = c.input("X").dims().back(), size = n * n;
  for (int64_t first = 0; first < static_cast<int64_t>(x.size()); first += size) {
    std::vector<double> m(x.begin() + first, x.begin() + first + size), inverse(static_cast<size_t>(size));
    for (int64_t i = 0; i < n; ++i) nth(inverse, i * n + i) = 1;
    invert(m, inverse, n);
    y.insert(y.end(), inverse.begin(), inverse.end());
  }
  store(c.output(), y);
}

}  // namespace

const OpDef inverse = op("Inverse")
                          .input("X", TypeSet{DType::kF16, DType::kF32, DType::kF64})
                          .output("Y", same_type("X"))
                          .shape([](ShapeCall& c) -> OutputShape {
                            require_rank(c, "X", 2, INT64_MAX);
                            const Shape& x = c.dims("X");
                            require_same(x[x.size() - 2], x.back(), "rows and columns of the matrices");
                            return x;
                          })
                          .reference(inverse_reference)
                          .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
