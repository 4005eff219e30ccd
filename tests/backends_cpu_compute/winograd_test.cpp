// Winograd convolutions against plain loops.
#include "backends/cpu/device/compute/winograd.h"

#include <gtest/gtest.h>

#include <random>

#include "backends_cpu_compute/conv_testing.h"

namespace kiln::cpu {
namespace {

using testing::for_each_isa;
using testing::random_floats;

WinogradConfig winograd_config(uint32_t i) {
  const WinogradConfig list[] = {{4, {32, 14, 256, 14, 64, 1, 1, false}},
                                 {2, {16, 7, 8, 5, 16, 1, 2, false}},
                                 {4, {48, 9, 30, 3, 48, 2, 1, false}},
                                 {2, {64, 6, 100, 33, 0, 2, 2, false}}};
  return list[i % 4];
}

ConvShape shape_3x3(int64_t h, int64_t w, int64_t in_c, int64_t out_c, int64_t pad) {
  return {.in_h = h,
          .in_w = w,
          .in_c = in_c,
          .out_c = out_c,
          .kernel_h = 3,
          .kernel_w = 3,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad,
          .in_stride = in_c,
          .out_stride = out_c};
}

void check_winograd(const ConvShape& s, const WinogradConfig& config, const Epilogue& epilogue, uint32_t seed) {
  const auto in = random_floats(s.batch * s.in_h * s.in_w * s.in_stride, seed);
  const auto weights = random_floats(s.out_c * s.in_c * 9, seed + 1);
  std::vector<float> packed(static_cast<size_t>(packed_winograd_floats(s, config)), testing::kNan);
  pack_winograd(s, weights.data(), config, packed.data());
  std::vector<float> out(static_cast<size_t>(s.batch * s.out_h() * s.out_w() * s.out_stride), 777.0f);
  std::vector<float> workspace(static_cast<size_t>(winograd_workspace(s, config)));
  winograd_nhwc(s, in.data(), packed.data(), out.data(), epilogue, config, workspace.data());
  testing::expect_conv(s, in, weights, epilogue, out, 1e-5);
}

TEST(Winograd, RandomShapes) {
  for_each_isa([] {
    std::mt19937 random(3);
    const auto pick = [&](int64_t low, int64_t high) {
      return std::uniform_int_distribution<int64_t>(low, high)(random);
    };
    for (uint32_t i = 0; i < 80; ++i) {
      ConvShape s = shape_3x3(pick(1, 15), pick(1, 15), pick(1, 40), pick(1, 80), 0);
      s.batch = pick(0, 2);
      s.pad_top = pick(0, 2);
      s.pad_left = pick(0, 2);
      s.pad_bottom = pick(0, 2);
      s.pad_right = pick(0, 2);
      s.in_stride = s.in_c + (i % 2) * pick(0, 3);
      s.out_stride = s.out_c + (i % 2) * pick(0, 3);
      const auto bias = random_floats(s.out_c, i);
      Epilogue e;
      e.bias = bias.data();
      ASSERT_TRUE(winograd_accepts(s));
      check_winograd(s, winograd_config(i), e, i);
    }
  });
}

TEST(Winograd, Epilogues) {
  for_each_isa([] {
    ConvShape s = shape_3x3(7, 9, 12, 34, 1);
    s.out_stride = 36;
    const auto residual = random_floats(s.out_h() * s.out_w() * 40, 3), bias = random_floats(s.out_c, 4);
    for (int kind = 0; kind < kActivationCount; ++kind) {
      const Epilogue e{.bias = bias.data(),
                       .residual = residual.data(),
                       .residual_stride = 40,
                       .residual_after = kind % 2 == 1,
                       .activation = static_cast<Activation>(kind),
                       .alpha = -0.2f,
                       .beta = 0.7f};
      for (uint32_t i = 0; i < 4; ++i) check_winograd(s, winograd_config(i), e, 5);
    }
  });
}

TEST(Winograd, OfferedConfigurationsOnManyChannels) {
  const ConvShape s = shape_3x3(14, 14, 256, 96, 1);
  for (const WinogradConfig& c : winograd_configs(s, 2)) check_winograd(s, c, {}, 9);
}

TEST(Winograd, HookSeesEachValueOnce) {
  const ConvShape s = shape_3x3(6, 7, 5, 70, 1);
  const auto in = random_floats(s.in_h * s.in_w * s.in_c, 1), weights = random_floats(s.out_c * s.in_c * 9, 2);
  for (uint32_t i = 0; i < 4; ++i) {
    const WinogradConfig config = winograd_config(i);
    testing::HookLog log{std::vector<int>(static_cast<size_t>(s.in_h * s.in_w * s.out_c)), s.out_c};
    std::vector<float> packed(static_cast<size_t>(packed_winograd_floats(s, config))), out(log.seen.size());
    std::vector<float> workspace(static_cast<size_t>(winograd_workspace(s, config)));
    pack_winograd(s, weights.data(), config, packed.data());
    Epilogue e;
    e.hook = testing::log_hook;
    e.hook_context = &log;
    winograd_nhwc(s, in.data(), packed.data(), out.data(), e, config, workspace.data());
    EXPECT_EQ(log.seen, std::vector<int>(log.seen.size(), 1));
    for (float& v : out) v *= -0.5f;
    testing::expect_conv(s, in, weights, {}, out, 1e-5);
  }
}

TEST(Winograd, DeclinesOtherConvolutions) {
  ConvShape s = shape_3x3(7, 7, 8, 8, 1);
  EXPECT_TRUE(winograd_accepts(s));
  s.stride_w = 2;
  EXPECT_FALSE(winograd_accepts(s));
  s = shape_3x3(7, 7, 8, 8, 1);
  s.groups = 2;
  EXPECT_FALSE(winograd_accepts(s));
  s = shape_3x3(7, 7, 5000, 8, 1);
  EXPECT_FALSE(winograd_accepts(s));
}

}  // namespace
}  // namespace kiln::cpu
