// Convolutions against plain loops: strides, dilation, padding, groups, slices, every instruction set.
#include "backends/cpu/device/compute/conv_nhwc.h"

#include <gtest/gtest.h>

#include <random>

#include "backends_cpu_compute/conv_testing.h"

namespace kiln::cpu {
namespace {

using testing::for_each_isa;
using testing::random_floats;

BlockConfig config_number(uint32_t i) {
  const BlockConfig list[] = {{32, 14, 256, 112, 0, 1, 1, false},
                              {16, 7, 8, 20, 16, 1, 2, false},
                              {48, 9, 30, 9, 0, 2, 1, false},
                              {64, 6, 100, 33, 64, 2, 2, false}};
  return list[i % 4];
}

void check_conv(const ConvShape& s, const BlockConfig& config, const Epilogue& epilogue, uint32_t seed) {
  const auto in = random_floats(s.batch * s.in_h * s.in_w * s.in_stride, seed);
  const auto weights = random_floats(s.out_c * (s.in_c / s.groups) * s.kernel_h * s.kernel_w, seed + 1);
  std::vector<float> packed(static_cast<size_t>(packed_conv_floats(s)), testing::kNan);
  pack_conv(s, weights.data(), config, packed.data());
  std::vector<float> out(static_cast<size_t>(s.batch * s.out_h() * s.out_w() * s.out_stride), 777.0f);
  std::vector<float> workspace(static_cast<size_t>(conv_workspace(s, config)));
  conv_nhwc(s, in.data(), packed.data(), out.data(), epilogue, config, workspace.data());
  testing::expect_conv(s, in, weights, epilogue, out, 2e-5);
}

TEST(ConvNhwc, RandomShapes) {
  for_each_isa([] {
    std::mt19937 random(3);
    const auto pick = [&](int64_t low, int64_t high) {
      return std::uniform_int_distribution<int64_t>(low, high)(random);
    };
    for (uint32_t i = 0; i < 150; ++i) {
      ConvShape s;
      s.batch = pick(1, 2);
      s.groups = i % 3 == 0 ? pick(2, 4) : 1;
      s.in_c = s.groups * pick(1, 20);
      s.out_c = s.groups * pick(1, 40);
      s.in_h = pick(1, 12);
      s.in_w = pick(1, 12);
      s.kernel_h = pick(1, 4);
      s.kernel_w = pick(1, 4);
      s.stride_h = pick(1, 3);
      s.stride_w = pick(1, 3);
      s.dilation_h = pick(1, 2);
      s.dilation_w = pick(1, 2);
      s.pad_top = pick(0, 3);
      s.pad_left = pick(0, 3);
      s.pad_bottom = pick(0, 3);
      s.pad_right = pick(0, 3);
      s.in_stride = s.in_c + (i % 2) * pick(0, 3);
      s.out_stride = s.out_c + (i % 2) * pick(0, 3);
      const auto bias = random_floats(s.out_c, i);
      Epilogue e;
      e.bias = bias.data();
      check_conv(s, config_number(i), e, i);
    }
  });
}

TEST(ConvNhwc, FirstLayer) {
  for_each_isa([] {
    for (int64_t stride : {1, 2}) {
      for (int64_t kernel : {3, 7}) {
        const ConvShape s{.batch = 2,
                          .in_h = 19,
                          .in_w = 23,
                          .in_c = 3,
                          .out_c = 20,
                          .kernel_h = kernel,
                          .kernel_w = kernel,
                          .stride_h = stride,
                          .stride_w = stride,
                          .pad_top = kernel / 2,
                          .pad_left = kernel / 2,
                          .pad_bottom = kernel / 2,
                          .pad_right = kernel / 2,
                          .in_stride = 3,
                          .out_stride = 20};
        for (uint32_t i = 0; i < 4; ++i) check_conv(s, config_number(i), {}, i);
      }
    }
  });
}

TEST(ConvNhwc, Epilogues) {
  for_each_isa([] {
    const ConvShape s{.in_h = 7,
                      .in_w = 9,
                      .in_c = 12,
                      .out_c = 34,
                      .groups = 2,
                      .kernel_h = 3,
                      .kernel_w = 3,
                      .pad_top = 1,
                      .pad_left = 1,
                      .pad_bottom = 1,
                      .pad_right = 1,
                      .in_stride = 12,
                      .out_stride = 36};
    const auto residual = random_floats(s.out_h() * s.out_w() * 40, 3), bias = random_floats(s.out_c, 4);
    for (int kind = 0; kind < kActivationCount; ++kind) {
      Epilogue e{.bias = bias.data(),
                 .residual = residual.data(),
                 .residual_stride = 40,
                 .residual_after = kind % 2 == 1,
                 .activation = static_cast<Activation>(kind),
                 .alpha = -0.2f,
                 .beta = 0.7f};
      check_conv(s, config_number(static_cast<uint32_t>(kind)), e, 5);
    }
  });
}

TEST(ConvNhwc, EmptyBatchAndEmptyOutput) {
  ConvShape s{.batch = 0,
              .in_h = 4,
              .in_w = 4,
              .in_c = 8,
              .out_c = 8,
              .kernel_h = 3,
              .kernel_w = 3,
              .in_stride = 8,
              .out_stride = 8};
  check_conv(s, config_number(0), {}, 1);
  s.batch = 1;
  s.in_h = 2;
  EXPECT_EQ(s.out_h(), 0);
  check_conv(s, config_number(0), {}, 1);
}

TEST(ConvNhwc, OfferedConfigurations) {
  for_each_isa([] {
    const ConvShape s{.in_h = 14,
                      .in_w = 14,
                      .in_c = 33,
                      .out_c = 80,
                      .kernel_h = 3,
                      .kernel_w = 3,
                      .pad_top = 1,
                      .pad_left = 1,
                      .pad_bottom = 1,
                      .pad_right = 1,
                      .in_stride = 33,
                      .out_stride = 80};
    for (const BlockConfig& c : conv_configs(s, 2)) check_conv(s, c, {}, 9);
  });
}

}  // namespace
}  // namespace kiln::cpu
