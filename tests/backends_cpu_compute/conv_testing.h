// Plain-loop convolution to compare with.
#pragma once
#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends_cpu_compute/product_testing.h"
#include "backends_cpu_compute/testing.h"

namespace kiln::cpu::testing {

// Compares out, whose unused channels hold 777, with plain loops; `relative` is meant against the size of the sums.
inline void expect_conv(const ConvShape& s, const std::vector<float>& in, const std::vector<float>& weights,
                        const Epilogue& epilogue, const std::vector<float>& out, double relative) {
  const int64_t channels = s.in_c / s.groups, columns = s.out_c / s.groups;
  const auto sum_at = [&](int64_t n, int64_t y, int64_t x, int64_t o) {
    double sum = 0;
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
        const int64_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h,
                      ix = x * s.stride_w - s.pad_left + kx * s.dilation_w;
        if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
        const float* pixel = in.data() + ((n * s.in_h + iy) * s.in_w + ix) * s.in_stride + o / columns * channels;
        for (int64_t c = 0; c < channels; ++c) {
          sum += static_cast<double>(pixel[c]) *
                 weights[static_cast<size_t>(((o * channels + c) * s.kernel_h + ky) * s.kernel_w + kx)];
        }
      }
    }
    return sum;
  };
  const double absolute = relative * 2 * std::sqrt(static_cast<double>(channels * s.kernel_h * s.kernel_w) + 1);
  int wrong = 0;
  for (int64_t row = 0; row < s.batch * s.out_h() * s.out_w(); ++row) {
    for (int64_t o = 0; o < s.out_stride; ++o) {
      const int64_t x = row % s.out_w(), y = row / s.out_w() % s.out_h(), n = row / s.out_w() / s.out_h();
      const float want = o < s.out_c ? scalar_epilogue(epilogue, sum_at(n, y, x, o), row, o) : 777.0f;
      const float got = out[static_cast<size_t>(row * s.out_stride + o)];
      if (!close(got, want, relative, absolute) && ++wrong < 4) {
        ADD_FAILURE() << "in " << s.in_h << "x" << s.in_w << "x" << s.in_c << " out " << s.out_c << " kernel "
                      << s.kernel_h << "x" << s.kernel_w << " groups " << s.groups << " at " << n << "," << y << ","
                      << x << "," << o << ": " << got << " is not " << want;
      }
    }
  }
}

}  // namespace kiln::cpu::testing
