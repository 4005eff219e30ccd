// Pooling against naive loops.
#include "backends/cpu/device/compute/pool_nhwc.h"

#include <algorithm>

#include "backends_cpu_compute/testing.h"

namespace kiln::cpu {
namespace {
using namespace testing;

float naive_pool(PoolKind kind, const PoolShape& s, const std::vector<float>& x, PixelStrides xs, int64_t channel,
                 int64_t n, int64_t oh, int64_t ow) {
  const Window2d& w = s.window;
  double sum = 0, largest = -INFINITY;
  int64_t count = 0;
  bool nan = false;
  for (int64_t i = 0; i < w.kernel_h; ++i) {
    for (int64_t k = 0; k < w.kernel_w; ++k) {
      const int64_t h = oh * w.stride_h - w.pad_top + i * w.dilation_h,
                    v = ow * w.stride_w - w.pad_left + k * w.dilation_w;
      if (h >= s.height + s.pad_bottom || v >= s.width + s.pad_right) continue;
      const bool inside = h >= 0 && h < s.height && v >= 0 && v < s.width;
      if (inside || kind == PoolKind::kAverageWithPadding) ++count;
      if (!inside) continue;
      const float value = x[static_cast<size_t>(n * xs.image + h * xs.row + v * xs.pixel + channel)];
      nan = nan || std::isnan(value);
      sum += value;
      largest = std::max<double>(largest, value);
    }
  }
  if (nan) return kNan;
  return static_cast<float>(kind == PoolKind::kMax ? largest : sum / static_cast<double>(count));
}

void check_pool(PoolKind kind, PoolShape s, int threads) {
  auto x = random_floats(s.batch * s.height * s.width * s.channels, 5);
  if (x.size() > 40) x[37] = kNan, x[11] = kInf;
  const PixelStrides xs = dense_pixels(s.height, s.width, s.channels),
                     ys = dense_pixels(s.out_height, s.out_width, s.channels);
  const int64_t outputs = s.batch * s.out_height * s.out_width * s.channels;
  std::vector<float> y(static_cast<size_t>(outputs), 9), expected = y, planar = y;
  for (int64_t i = 0; i < outputs; ++i) {
    const int64_t c = i % s.channels, p = i / s.channels;
    expected[static_cast<size_t>(i)] =
        naive_pool(kind, s, x, xs, c, p / s.out_width / s.out_height, p / s.out_width % s.out_height, p % s.out_width);
  }
  pool_nhwc(kind, s, x.data(), xs, y.data(), ys, threads);
  expect_close(y, expected, 2e-6, 1e-6);
  pool_strided(kind, s, x.data(), xs, 1, planar.data(), ys, 1, threads);
  expect_close(planar, expected, 2e-6, 1e-6);
}

TEST(Pool, Shapes) {
  for_each_isa([] {
    for (auto kind : {PoolKind::kMax, PoolKind::kAverage, PoolKind::kAverageWithPadding}) {
      for (int64_t channels : {1, 7, 16, 40, 70}) {
        for (int64_t size : {1, 4, 9}) {
          for (int64_t kernel : {1, 2, 3}) {
            for (int64_t pad = 0; pad < kernel; ++pad) {
              // As many outputs as ceil mode gives, and one window fewer below.
              const int64_t out = std::max<int64_t>((size + 2 * pad - kernel + 1) / 2 + 1, 1);
              check_pool(kind,
                         {2, size, size + 2, channels, out, out + 1, {kernel, kernel, 2, 2, 1, 1, pad, pad}, pad, pad},
                         2);
            }
          }
        }
      }
      check_pool(kind, {1, 8, 8, 19, 4, 4, {3, 3, 1, 1, 2, 2, 0, 0}}, 1);
      check_pool(kind, {1, 2, 2, 5, 4, 4, {1, 1, 1, 1, 1, 1, 1, 1}, 1, 1}, 1);  // windows without an element
      check_pool(kind, {0, 2, 2, 5, 1, 1, {2, 2, 1, 1, 1, 1, 0, 0}}, 1);
    }
  });
}

TEST(Pool, GlobalAverage) {
  for_each_isa([] {
    for (int64_t channels : {1, 15, 64, 130}) {
      for (int64_t size : {1, 3, 7}) {
        const auto x = random_floats(2 * size * size * (channels + 3), 4);
        PixelStrides xs = dense_pixels(size, size, channels + 3);
        std::vector<float> y(static_cast<size_t>(2 * channels)), expected(y.size());
        global_average_nhwc(2, size, size, channels, x.data(), xs, y.data(), channels, 2);
        for (int64_t i = 0; i < 2 * channels; ++i) {
          double sum = 0;
          for (int64_t p = 0; p < size * size; ++p)
            sum += x[static_cast<size_t>(i / channels * xs.image + p * xs.pixel + i % channels)];
          expected[static_cast<size_t>(i)] = static_cast<float>(sum / static_cast<double>(size * size));
        }
        expect_close(y, expected, 2e-6, 1e-6);
      }
    }
  });
}

}  // namespace
}  // namespace kiln::cpu
