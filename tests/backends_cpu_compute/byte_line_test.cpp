// Lines among tables of bytes: what quantization to another scale does, and what is no line.
#include "backends/cpu/device/compute/byte_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>

namespace kiln::cpu {
namespace {

using Table = std::array<uint8_t, 256>;

struct Scale {
  float scale;
  int32_t zero;
  bool is_signed;
  int32_t least() const { return is_signed ? -128 : 0; }
};

// Dequantized, limited and quantized to another scale, as ONNX defines it.
Table requantized(const Scale& from, const Scale& to, float low, float high) {
  Table table{};
  for (int32_t i = 0; i < 256; ++i) {
    const int32_t byte = from.least() + i;
    const float real = std::min(std::max(static_cast<float>(byte - from.zero) * from.scale, low), high);
    const float quotient = std::nearbyint(real / to.scale) + static_cast<float>(to.zero);
    const float least = static_cast<float>(to.least());
    table[static_cast<uint8_t>(byte)] =
        static_cast<uint8_t>(static_cast<int32_t>(std::min(std::max(quotient, least), least + 255)));
  }
  return table;
}

// What kernels make of a number, limited to bytes or not.
uint8_t on_line(const ByteLine& line, int32_t w) {
  const auto v = static_cast<int32_t>(std::nearbyint(static_cast<float>(w) * line.factor));
  const int32_t limited = line.saturates ? v : std::clamp(v, line.low, line.high);
  const int32_t least = line.is_signed ? -128 : 0;
  return static_cast<uint8_t>(std::clamp(limited + line.zero, least, least + 255));
}

// The same place for numbers beyond the bytes as for the last byte.
void expect_line(const Table& table, const Scale& from, const ByteLine& line) {
  for (int32_t w = from.least() - from.zero - 1000; w < from.least() - from.zero + 1256; ++w) {
    const int32_t byte = std::clamp(w + from.zero, from.least(), from.least() + 255);
    ASSERT_EQ(on_line(line, w), table[static_cast<uint8_t>(byte)]) << w;
  }
}

TEST(ByteLine, QuantizationToAnotherScale) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> scales(0.001F, 0.2F);
  int lines = 0;
  constexpr int kTables = 2000;
  for (int i = 0; i < kTables; ++i) {
    const auto scale = [&] {
      const bool is_signed = random() % 2 != 0;
      return Scale{scales(random), static_cast<int32_t>(random() % 256) - (is_signed ? 128 : 0), is_signed};
    };
    const Scale from = scale(), to = scale();
    const float low = random() % 2 != 0 ? 0 : -HUGE_VALF, high = random() % 2 != 0 ? 6.0F : HUGE_VALF;
    const Table table = requantized(from, to, low, high);
    const auto line = line_of(table.data(), from.is_signed, from.zero);
    if (!line) continue;
    ++lines;
    expect_line(table, from, *line);
  }
  EXPECT_GT(lines, kTables * 9 / 10);
}

TEST(ByteLine, WhatIsNone) {
  Table curve{}, falling{}, gap{};
  for (int i = 0; i < 256; ++i) {
    curve[static_cast<size_t>(i)] = static_cast<uint8_t>(i * i / 255);
    falling[static_cast<size_t>(i)] = static_cast<uint8_t>(255 - i);
    gap[static_cast<size_t>(i)] = static_cast<uint8_t>(i == 100 ? 0 : i);
  }
  for (const Table& table : {curve, falling, gap})
    for (const int32_t zero : {0, 7, 255}) EXPECT_FALSE(line_of(table.data(), false, zero)) << zero;
}

TEST(ByteLine, OfOneValue) {
  Table table{};
  table.fill(200);
  const Scale from{1, 128, false};
  const auto line = line_of(table.data(), from.is_signed, from.zero);
  ASSERT_TRUE(line);
  expect_line(table, from, *line);
}

TEST(ByteLine, ZeroPointsThatAreNoBytes) {
  Table table{};
  for (int i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
  EXPECT_FALSE(line_of(table.data(), false, -1));
  EXPECT_FALSE(line_of(table.data(), true, 255));
}

}  // namespace
}  // namespace kiln::cpu
