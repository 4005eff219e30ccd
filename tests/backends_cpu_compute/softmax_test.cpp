// Softmax against naive loops.
#include "backends/cpu/device/compute/softmax.h"

#include <algorithm>

#include "backends_cpu_compute/testing.h"

namespace kiln::cpu {
namespace {
using namespace testing;

// x of n elements, `step` apart.
std::vector<float> naive_softmax(bool logarithm, const float* x, int64_t n, int64_t step, float scale = 1,
                                 const float* mask = nullptr) {
  std::vector<double> v;
  for (int64_t i = 0; i < n; ++i) v.push_back(static_cast<double>(x[i * step]) * scale + (mask ? mask[i] : 0));
  double largest = -INFINITY, sum = 0;
  for (double e : v) largest = std::isnan(e) || e > largest ? e : largest;
  for (double e : v) sum += std::exp(e - largest);
  std::vector<float> y;
  for (double e : v)
    y.push_back(static_cast<float>(logarithm ? e - largest - std::log(sum) : std::exp(e - largest) / sum));
  return y;
}

TEST(Softmax, RowsWithMaskAndScale) {
  for_each_isa([] {
    for (bool logarithm : {false, true}) {
      for (int64_t n : {1, 2, 7, 16, 31, 64, 100, 1000}) {
        for (int variant = 0; variant < 3; ++variant) {
          const int64_t rows = 2 * 3 * 5, x_stride = n + 3, y_stride = n + 1;
          const auto x = random_floats(rows * x_stride, 1, -20, 20);
          auto m = random_floats(rows * n, 2);
          if (n > 2) m[1] = -kInf;
          SoftmaxMask mask;
          if (variant) mask = {m.data(), {2, 3, 5}, {variant == 1 ? 0 : 15 * n, 0, variant == 1 ? n : 0}};
          const float scale = variant ? 0.125f : 1;
          std::vector<float> y(static_cast<size_t>(rows * y_stride), 3), expected = y;
          softmax_rows(logarithm, rows, n, x.data(), x_stride, y.data(), y_stride, scale, mask, 2);
          for (int64_t r = 0; r < rows; ++r) {
            const float* row = variant ? m.data() + (r / 15 * mask.strides[0] + r % 5 * mask.strides[2]) : nullptr;
            const auto e = naive_softmax(logarithm, x.data() + r * x_stride, n, 1, scale, row);
            std::copy(e.begin(), e.end(), expected.begin() + r * y_stride);
          }
          expect_close(y, expected, logarithm ? 2e-6 : 4e-6, logarithm ? 2e-6 : 1e-12, std::to_string(n));
        }
      }
    }
  });
}

TEST(Softmax, MiddleAxis) {
  for_each_isa([] {
    for (bool logarithm : {false, true}) {
      for (int64_t inner : {1, 5, 16, 77, 130}) {
        for (int64_t n : {1, 21}) {
          const auto x = random_floats(3 * n * inner, 4, -30, 30);
          std::vector<float> y(x.size()), expected(x.size());
          softmax_middle(logarithm, 3, n, inner, x.data(), y.data(), 2);
          for (int64_t o = 0; o < 3; ++o) {
            for (int64_t c = 0; c < inner; ++c) {
              const auto e = naive_softmax(logarithm, x.data() + o * n * inner + c, n, inner);
              for (int64_t i = 0; i < n; ++i)
                expected[static_cast<size_t>((o * n + i) * inner + c)] = e[static_cast<size_t>(i)];
            }
          }
          expect_close(y, expected, 4e-6, logarithm ? 4e-6 : 1e-12);
        }
      }
    }
  });
}

TEST(Softmax, SpecialValues) {
  for_each_isa([] {
    for (bool logarithm : {false, true}) {
      for (float special : {kNan, kInf, -kInf, 3e38f}) {
        for (int64_t inner : {1, 20}) {
          const int64_t n = 37;
          auto x = random_floats(n * inner, 9);
          x[static_cast<size_t>(5 * inner)] = special;
          std::vector<float> y(x.size());
          softmax_middle(logarithm, 1, n, inner, x.data(), y.data(), 1);
          std::vector<float> column;
          for (int64_t i = 0; i < n; ++i) column.push_back(y[static_cast<size_t>(i * inner)]);
          expect_close(column, naive_softmax(logarithm, x.data(), n, inner), 4e-6, 4e-6);
        }
      }
    }
  });
  softmax_rows(false, 0, 5, nullptr, 5, nullptr, 5, 1, {}, 1);
  softmax_rows(false, 5, 0, nullptr, 0, nullptr, 0, 1, {}, 1);
}

}  // namespace
}  // namespace kiln::cpu
