// Depthwise convolution against naive loops.
#include "backends/cpu/device/compute/conv_depthwise.h"

#include <algorithm>

#include "backends_cpu_compute/testing.h"

namespace kiln::cpu {
namespace {
using namespace testing;

struct DepthwiseCase {
  DepthwiseShape shape;
  int64_t x_slack, y_slack;  // channels of the wider tensor beyond ours
};

DepthwiseCase make_case(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t kernel_h,
                        int64_t kernel_w, int64_t stride, int64_t dilation, int64_t pad_before, int64_t pad_after,
                        int64_t slack = 0) {
  DepthwiseCase c;
  auto out = [&](int64_t n, int64_t k) { return (n + pad_before + pad_after - (k - 1) * dilation - 1) / stride + 1; };
  c.shape = {batch,
             height,
             width,
             channels,
             out(height, kernel_h),
             out(width, kernel_w),
             {kernel_h, kernel_w, stride, stride, dilation, dilation, pad_before, pad_before}};
  c.x_slack = slack, c.y_slack = 2 * slack;
  return c;
}

void check_depthwise(const DepthwiseCase& c, Epilogue e, int threads) {
  const DepthwiseShape& s = c.shape;
  const Window2d& w = s.window;
  const int64_t taps = w.kernel_h * w.kernel_w, out_pixels = s.batch * s.out_height * s.out_width;
  const auto x = random_floats(s.batch * s.height * s.width * (s.channels + c.x_slack), 1);
  const auto weights = random_floats(s.channels * taps, 2), bias = random_floats(s.channels, 3);
  const auto residual = random_floats(out_pixels * s.channels, 4);
  if (e.bias) e.bias = bias.data();
  if (e.residual) e.residual = residual.data(), e.residual_stride = s.channels;
  std::vector<float> packed(weights.size());
  pack_depthwise_weights(weights.data(), s.channels, w.kernel_h, w.kernel_w, packed.data());
  const PixelStrides xs = dense_pixels(s.height, s.width, s.channels + c.x_slack),
                     ys = dense_pixels(s.out_height, s.out_width, s.channels + c.y_slack);
  std::vector<float> y(static_cast<size_t>(out_pixels * ys.pixel), 55), expected = y;
  conv_depthwise(s, x.data(), xs, packed.data(), y.data(), ys, e, threads);
  for (int64_t p = 0; p < out_pixels; ++p) {
    const int64_t n = p / (s.out_height * s.out_width), oh = p / s.out_width % s.out_height, ow = p % s.out_width;
    for (int64_t ch = 0; ch < s.channels; ++ch) {
      double sum = e.bias ? bias[static_cast<size_t>(ch)] : 0;
      for (int64_t t = 0; t < taps; ++t) {
        const int64_t h = oh * w.stride_h - w.pad_top + t / w.kernel_w * w.dilation_h,
                      v = ow * w.stride_w - w.pad_left + t % w.kernel_w * w.dilation_w;
        if (h < 0 || h >= s.height || v < 0 || v >= s.width) continue;
        sum += static_cast<double>(x[static_cast<size_t>(n * xs.image + h * xs.row + v * xs.pixel + ch)]) *
               weights[static_cast<size_t>(ch * taps + t)];
      }
      const double r = e.residual ? residual[static_cast<size_t>(p * s.channels + ch)] : 0;
      if (!e.residual_after) sum += r;
      auto value = static_cast<float>(sum);
      apply_activation(e.activation, e.alpha, e.beta, &value, &value, 1);
      if (e.residual_after) value += static_cast<float>(r);
      expected[static_cast<size_t>(p * ys.pixel + ch)] = value;
    }
  }
  expect_close(y, expected, 1e-5, 2e-5);
}

TEST(Depthwise, Shapes) {
  for_each_isa([] {
    for (int64_t channels : {1, 3, 8, 16, 24, 33, 96}) {
      for (int64_t size : {1, 2, 5, 7, 14, 19}) {
        for (int64_t kernel : {1, 2, 3, 5, 7}) {
          for (int64_t stride : {1, 2, 3}) {
            const int64_t pad = kernel / 2;
            check_depthwise(make_case(1, size, size + 3, channels, kernel, kernel, stride, 1, pad, pad), {}, 1);
          }
        }
      }
    }
  });
}

TEST(Depthwise, DilationPaddingSlicesBatch) {
  for_each_isa([] {
    check_depthwise(make_case(2, 11, 9, 20, 3, 3, 1, 2, 2, 2, 4), {}, 2);
    check_depthwise(make_case(2, 11, 9, 20, 3, 5, 2, 1, 0, 1, 4), {}, 2);
    check_depthwise(make_case(3, 4, 4, 5, 3, 3, 1, 1, 3, 3, 1), {}, 1);  // windows wholly in the padding
    check_depthwise(make_case(1, 2, 2, 17, 5, 5, 1, 1, 4, 4), {}, 1);    // window larger than the input
    check_depthwise(make_case(1, 3, 3, 17, 3, 3, 1, 3, 5, 5), {}, 1);
    check_depthwise(make_case(0, 3, 3, 17, 3, 3, 1, 1, 1, 1), {}, 1);
    check_depthwise(make_case(1, 112, 112, 32, 3, 3, 1, 1, 1, 1), {}, 2);
  });
}

TEST(Depthwise, Epilogues) {
  static const float marker = 0;
  for_each_isa([] {
    for (int k = 0; k < kActivationCount; ++k) {
      for (int residual = 0; residual < 3; ++residual) {
        Epilogue e;
        e.bias = &marker;
        e.activation = static_cast<Activation>(k);
        e.alpha = e.activation == Activation::kClip ? -0.5f : 0.3f, e.beta = 0.7f;
        e.residual = residual ? &marker : nullptr;
        e.residual_after = residual == 2;
        check_depthwise(make_case(1, 6, 9, 21, 3, 3, 1, 1, 1, 1, 3), e, 1);
      }
    }
  });
}

TEST(Depthwise, NanStaysWhereItIs) {
  for_each_isa([] {
    const auto c = make_case(1, 5, 5, 16, 3, 3, 1, 1, 1, 1);
    std::vector<float> x(400, 1), w(144, 1), y(400);
    x[2 * 80 + 2 * 16 + 3] = kNan;
    Epilogue e;
    e.activation = Activation::kRelu;
    conv_depthwise(c.shape, x.data(), dense_pixels(5, 5, 16), w.data(), y.data(), dense_pixels(5, 5, 16), e, 1);
    int nans = 0;
    for (float v : y) nans += std::isnan(v);
    EXPECT_EQ(nans, 9);
  });
}

}  // namespace
}  // namespace kiln::cpu
