// Which products keep their weights in 16 bits.
#include "passes/narrow/narrow_weights.h"

#include <gtest/gtest.h>

#include "ir/text.h"

namespace kiln::passes {
namespace {

class Warnings final : public Logger {
 public:
  void log(Severity severity, std::string_view message) noexcept override {
    if (severity == Severity::kWarning) text += std::string(message) + "\n";
  }
  std::string text;
};

// What the products of the graph keep their weights in, behind canonicalize.
std::vector<DType> kept(const std::string& body, DType compute, std::set<std::string> disabled = {},
                        std::string* warnings = nullptr) {
  const auto g = ir::parse_graph("graph main(%x: float32[n,128], %i: float32[1,128,8,8]) {\n" + body + "}\n");
  Warnings log;
  run_passes(*g, {canonicalize(), keep_narrow_weights(compute)}, {.disabled = std::move(disabled), .logger = &log});
  if (warnings) *warnings = log.text;
  std::vector<DType> types;
  for (const auto& n : g->nodes())
    if (n->is("MatMul") || n->is("Conv") || n->is("LSTM")) types.push_back(n->keeps);
  return types;
}

std::string product_of(const std::string& made, const std::string& marks = "") {
  return made + "  %y = MatMul(%x, %w)" + marks + "\n  return %y\n";
}
const std::string kRandom = "  %w = random float32[128,129] seed 1\n";
// Those of bfloat16 are too large for float16.
std::string rounded(const std::string& type) {
  const std::string factor = type == "bfloat16" ? "1e12" : "1.0";
  return "  %v = random float32[128,129] seed 1\n  %f = constant float32[]:{" + factor +
         "}\n  %m = Mul(%v, %f)\n  %h = Cast(%m) {to=\"" + type + "\"}\n  %w = Cast(%h) {to=\"float32\"}\n";
}

TEST(NarrowWeightsPass, WhatATypeHoldsIsKeptInItByEveryBuild) {
  for (const DType compute : {DType::kF32, DType::kF16, DType::kBF16}) {
    EXPECT_EQ(kept(product_of(rounded("float16")), compute), std::vector{DType::kF16});
    EXPECT_EQ(kept(product_of(rounded("bfloat16")), compute), std::vector{DType::kBF16});
    EXPECT_EQ(kept(product_of(rounded("float16"), " in float32"), compute), std::vector{DType::kF16});
    EXPECT_EQ(kept(product_of(kRandom), compute), std::vector{compute == DType::kF32 ? DType::kInvalid : compute});
  }
}

TEST(NarrowWeightsPass, ConvolutionsToo) {
  EXPECT_EQ(kept("  %w = random float32[129,128,1,1] seed 1\n  %y = Conv(%i, %w)\n  return %y\n", DType::kF16),
            std::vector{DType::kF16});
}

TEST(NarrowWeightsPass, RecurrentLayersWhereBothOfTheirWeightsAre) {
  const auto layer = [](const std::string& w, const std::string& r) {
    return "  %a = random float32[1,160,128] seed 1\n  %b = random float32[1,160,40] seed 2\n"
           "  %ah = Cast(%a) {to=\"float16\"}\n  %bh = Cast(%b) {to=\"float16\"}\n"
           "  %aw = Cast(%ah) {to=\"float32\"}\n  %bw = Cast(%bh) {to=\"float32\"}\n"
           "  %s = constant int64[3]:{-1,1,128}\n  %t = Reshape(%x, %s)\n"
           "  %y, %h, %c = LSTM(%t, " +
           w + ", " + r + ") {hidden_size=40}\n  return %y\n";
  };
  EXPECT_EQ(kept(layer("%aw", "%bw"), DType::kF32), std::vector{DType::kF16});
  EXPECT_EQ(kept(layer("%aw", "%b"), DType::kF32), std::vector{DType::kInvalid});
  EXPECT_EQ(kept(layer("%aw", "%b"), DType::kBF16), std::vector{DType::kBF16});
}

TEST(NarrowWeightsPass, OthersStayWide) {
  EXPECT_EQ(kept(product_of(kRandom, " in float32"), DType::kF16), std::vector{DType::kInvalid});
  EXPECT_EQ(kept(product_of("  %w = random float32[128,3] seed 1\n"), DType::kF16), std::vector{DType::kInvalid});
  EXPECT_EQ(kept("  %t = Transpose(%x) {perm=[1,0]}\n  %y = MatMul(%x, %t)\n  return %y\n", DType::kF16),
            std::vector{DType::kInvalid});
  EXPECT_EQ(kept(product_of(rounded("float16")), DType::kF16, {std::string(kNarrowWeights)}),
            std::vector{DType::kInvalid});
  EXPECT_EQ(
      kept("  %v = random float32[128,129] seed 1\n  %w = Cast(%v) {to=\"float64\"}\n  %z = Cast(%x) {to=\"float64\"}\n"
           "  %y = MatMul(%z, %w)\n  return %y\n",
           DType::kF16),
      std::vector{DType::kInvalid});
}

TEST(NarrowWeightsPass, WeightsThatOverflowStayWideAndAreNamed) {
  const std::string large =
      "  %v = random float32[128,129] seed 1\n  %f = constant float32[]:{1e6}\n  %w = Mul(%v, %f)\n";
  std::string warnings;
  EXPECT_EQ(kept(product_of(large), DType::kF16, {}, &warnings), std::vector{DType::kInvalid});
  EXPECT_NE(warnings.find("overflow float16"), std::string::npos) << warnings;
  EXPECT_EQ(kept(product_of(large), DType::kBF16, {}, &warnings), std::vector{DType::kBF16});
  EXPECT_EQ(warnings, "");
  EXPECT_EQ(kept(product_of(large), DType::kF32, {}, &warnings), std::vector{DType::kInvalid});
  EXPECT_EQ(warnings, "");
}

TEST(NarrowWeightsPass, TheTextOfGraphsHasIt) {
  const std::string text =
      "graph main(%x: float32[2,3]) {\n  %w = random float32[3,4] seed 1\n"
      "  %y = MatMul(%x, %w) in float32 keeps bfloat16\n  return %y\n}\n";
  const auto g = ir::parse_graph(text);
  EXPECT_EQ(g->nodes().front()->keeps, DType::kBF16);
  EXPECT_EQ(g->clone()->nodes().front()->keeps, DType::kBF16);
  EXPECT_EQ(ir::parse_graph(ir::to_text(*g))->nodes().front()->keeps, DType::kBF16);
}

}  // namespace
}  // namespace kiln::passes
