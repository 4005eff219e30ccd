// Normalisations by cuDNN, whose plans are compiled for a shape. Where the library, or what it compiles with, is not there, its tactic
// declines.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "cuda/node_check.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16};
constexpr const char* kName = "cudnn_norm";

NodeCase rows(const std::string& op, DType type, Dims x, int64_t axis, bool bias) {
  const Dims row(x.begin() + static_cast<std::ptrdiff_t>(axis), x.end());
  NodeCase c{.op = op,
             .attributes = {{"axis", axis}, {"epsilon", 1e-3}},
             .inputs = {{.dims = x, .type = type}, {.dims = row, .type = type, .constant = true}},
             .compiles = true};
  if (bias) c.inputs.push_back({.dims = row, .type = type, .constant = true});
  return c;
}

NodeCase images(DType type, Dims x, Layout layout) {
  const Operand channels{.dims = {x[1]}, .type = type, .constant = true};
  return {.op = "InstanceNormalization",
          .inputs = {{.dims = x, .type = type, .layout = layout}, channels, channels},
          .output_layout = layout,
          .compiles = true};
}

class CudaCudnnNorm : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string why = refusal(rows("LayerNormalization", DType::kF16, {6, 64}, 1, true), kName);
    if (!why.empty()) GTEST_SKIP() << why;
  }
  static void expect_taken(const NodeCase& c) {
    EXPECT_EQ(refusal(c, kName), "") << BuiltNode(c).problem().str();
    EXPECT_TRUE(check(c).count(kName)) << BuiltNode(c).problem().str();
  }
};

TEST_F(CudaCudnnNorm, Rows) {
  for (DType type : kFloats) {
    expect_taken(rows("LayerNormalization", type, {3, 40, 768}, 2, true));
    expect_taken(rows("LayerNormalization", type, {7, 5, 12}, 1, false));
    expect_taken(rows("RMSNormalization", type, {40, 1024}, 1, false));
  }
  expect_taken(rows("LayerNormalization", DType::kF16, {100, 77}, 1, true));
}

TEST_F(CudaCudnnNorm, Images) {
  for (DType type : kFloats) {
    expect_taken(images(type, {2, 16, 9, 7}, Layout()));
    expect_taken(images(type, {2, 16, 9, 7}, Layout::channels_last(4)));
  }
}

TEST_F(CudaCudnnNorm, NumbersThatAreNotFinite) {
  for (double value : {std::nan(""), std::numeric_limits<double>::infinity()})
    for (const char* op : {"LayerNormalization", "RMSNormalization"}) {
      NodeCase c = rows(op, DType::kF16, {9, 128}, 1, false);
      Tensor t = random_tensor(DType::kF16, {9, 128}, 3);
      t.set(300, value);
      c.inputs[0].value = t;
      expect_taken(c);
    }
}

TEST_F(CudaCudnnNorm, RowsFarFromZeroAndWithoutVariance) {
  NodeCase c = rows("LayerNormalization", DType::kF32, {5, 256}, 1, true);
  Tensor t = random_tensor(DType::kF32, {5, 256}, 3);
  for (int64_t i = 0; i < t.size(); ++i) t.set(i, i < 256 ? 2 : t.at(i) + 100);
  c.inputs[0].value = t;
  c.tolerance = 1e-4;
  expect_taken(c);
}

TEST_F(CudaCudnnNorm, RandomRows) {
  std::minstd_rand random(5);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int i = 0; i < 6; ++i) {
    const NodeCase c = rows(i % 2 == 0 ? "LayerNormalization" : "RMSNormalization", kFloats[i % 3],
                            {pick(1, 70), pick(1, 2000)}, 1, i % 2 == 0);
    if (refusal(c, kName).empty()) (void)check(c);
  }
}

TEST_F(CudaCudnnNorm, RefusesWithAReason) {
  NodeCase c = rows("LayerNormalization", DType::kF16, {6, 64}, 1, true);
  c.outputs = 2;
  EXPECT_NE(refusal(c, kName), "");
  EXPECT_EQ(refusal(rows("LayerNormalization", DType::kF16, {0, 64}, 1, true), kName), "there are no results");
}

}  // namespace
}  // namespace kiln::cuda::testing
