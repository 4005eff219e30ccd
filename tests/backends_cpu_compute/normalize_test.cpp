// Normalisations against naive loops in double.
#include "backends/cpu/device/compute/normalize.h"

#include "backends_cpu_compute/testing.h"

namespace kiln::cpu {
namespace {
using namespace testing;

struct Moments {
  double mean, inverse;
};
template <class At> Moments moments(int64_t n, const At& at, bool subtract, double epsilon) {
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) mean += at(i);
  mean = subtract ? mean / static_cast<double>(n) : 0;
  for (int64_t i = 0; i < n; ++i) squares += (at(i) - mean) * (at(i) - mean);
  return {mean, 1 / std::sqrt(squares / static_cast<double>(n) + epsilon)};
}

TEST(Normalize, RowsOfEveryKind) {
  for_each_isa([] {
    for (int64_t n : {1, 5, 16, 33, 768, 5000}) {
      for (int variant = 0; variant < 16; ++variant) {
        const int64_t rows = 7, x_stride = n + 2, y_stride = n + 1;
        // Far from zero, so that sums of squares alone would be wrong.
        const auto x = random_floats(rows * x_stride, 1, 99, 101), scale = random_floats(n, 2),
                   bias = random_floats(n, 3);
        const auto skip = random_floats(rows * n, 4), skip_bias = random_floats(n, 5);
        std::vector<float> y(static_cast<size_t>(rows * y_stride), 8), expected = y, sum(static_cast<size_t>(rows * n)),
                                                                       mean(rows), inverse(rows);
        RowNorm norm;
        norm.rows = rows, norm.n = n;
        norm.subtract_mean = variant & 1;
        if (variant & 2) norm.scale = scale.data();
        if (variant & 4) norm.bias = bias.data();
        if (variant & 8) {
          norm.skip = skip.data(), norm.skip_stride = n, norm.skip_bias = skip_bias.data();
          norm.mean = mean.data(), norm.inverse_deviation = inverse.data();
          if (variant & 4) norm.sum = sum.data(), norm.sum_stride = n;
        }
        normalize_rows(norm, x.data(), x_stride, y.data(), y_stride, 2);
        for (int64_t r = 0; r < rows; ++r) {
          auto at = [&](int64_t i) {
            float v = x[static_cast<size_t>(r * x_stride + i)];
            if (norm.skip) v = v + skip[static_cast<size_t>(r * n + i)] + skip_bias[static_cast<size_t>(i)];
            return static_cast<double>(v);
          };
          const Moments m = moments(n, at, norm.subtract_mean, 1e-5);
          for (int64_t i = 0; i < n; ++i) {
            double v = (at(i) - m.mean) * m.inverse;
            if (norm.scale) v *= scale[static_cast<size_t>(i)];
            if (norm.bias) v += bias[static_cast<size_t>(i)];
            expected[static_cast<size_t>(r * y_stride + i)] = static_cast<float>(v);
            if (norm.sum) {
              ASSERT_EQ(sum[static_cast<size_t>(r * n + i)], static_cast<float>(at(i)));
            }
          }
          if (norm.mean) {
            ASSERT_TRUE(close(mean[static_cast<size_t>(r)], m.mean, 1e-6, 1e-6));
          }
          if (norm.mean && n > 1) {
            ASSERT_TRUE(close(inverse[static_cast<size_t>(r)], m.inverse, 1e-5, 0));
          }
        }
        // With one element the rounding of the mean is multiplied by 1 / sqrt(epsilon).
        expect_close(y, expected, 1e-5, n == 1 ? 2e-2 : 5e-5, std::to_string(n) + " " + std::to_string(variant));
      }
    }
  });
}

TEST(Normalize, Groups) {
  for_each_isa([] {
    for (int64_t pixels : {1, 9, 50, 700}) {
      for (auto [channels, groups] : {std::pair<int64_t, int64_t>{6, 3}, {8, 8}, {8, 1}, {150, 2}, {70, 70}, {32, 4}}) {
        for (bool affine : {false, true}) {
          const int64_t batch = 2, count = batch * channels * pixels, size = channels / groups;
          const auto x = random_floats(count, 1, 9, 11), scale = random_floats(channels, 2),
                     bias = random_floats(channels, 3);
          GroupNorm norm{
              batch, channels, pixels, groups, 1e-3f, affine ? scale.data() : nullptr, affine ? bias.data() : nullptr};
          std::vector<float> y(x.size()), expected(x.size()), nhwc_in(x.size()), nhwc_out(x.size()),
              nhwc_expected(x.size());
          for (int64_t g = 0; g < batch * groups; ++g) {
            const float* in = x.data() + g * size * pixels;
            const Moments m = moments(size * pixels, [&](int64_t i) { return static_cast<double>(in[i]); }, true, 1e-3);
            for (int64_t i = 0; i < size * pixels; ++i) {
              const auto c = static_cast<size_t>(g % groups * size + i / pixels);
              const double v = (in[i] - m.mean) * m.inverse;
              const auto value = static_cast<float>(affine ? v * scale[c] + bias[c] : v);
              const auto at = static_cast<size_t>(((g / groups) * pixels + i % pixels) * channels) + c;
              expected[static_cast<size_t>(g * size * pixels + i)] = value;
              nhwc_expected[at] = value;
              nhwc_in[at] = in[i];
            }
          }
          group_norm_nchw(norm, x.data(), y.data(), 2);
          expect_close(y, expected, 1e-5, 5e-5, "nchw");
          group_norm_nhwc(norm, nhwc_in.data(), nhwc_out.data(), 2);
          expect_close(nhwc_out, nhwc_expected, 1e-5, 5e-5, "nhwc");
        }
      }
    }
  });
}

TEST(Normalize, NanStaysInItsRow) {
  for_each_isa([] {
    auto x = random_floats(60, 1);
    x[25] = kNan;
    RowNorm norm;
    norm.rows = 3, norm.n = 20;
    std::vector<float> y(60);
    normalize_rows(norm, x.data(), 20, y.data(), 20, 1);
    for (size_t i = 0; i < 60; ++i) EXPECT_EQ(std::isnan(y[i]), i / 20 == 1) << i;
  });
  normalize_rows(RowNorm{}, nullptr, 0, nullptr, 0, 1);
}

}  // namespace
}  // namespace kiln::cpu
