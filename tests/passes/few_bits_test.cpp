// Weights of a float network in few bits.
#include "passes/quantize/few_bits.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/graph.h"
#include "ir/text.h"

namespace kiln::passes {
namespace {

std::unique_ptr<ir::Graph> product_by(const char* weights) {
  return ir::parse_graph("graph main(%x: float32[3,40]) {\n  %w = " + std::string(weights) +
                         "\n  %y = MatMul \"fc\"(%x, %w)\n  return %y\n}");
}

// ‖got - wanted‖ / ‖wanted‖.
double error_of(const ir::Graph& got, const ir::Graph& wanted) {
  const Tensor x = ir::random_tensor(DType::kF32, {3, 40}, 7);
  const Tensor a = ir::evaluate(got, {x}).at(0).tensor, b = ir::evaluate(wanted, {x}).at(0).tensor;
  double error = 0, size = 0;
  for (int64_t i = 0; i < b.size(); ++i) error += std::pow(a.at(i) - b.at(i), 2), size += std::pow(b.at(i), 2);
  return std::sqrt(error / size);
}

TEST(FewBits, ProductsKeepIntegers) {
  for (const auto& [form, bound] : {std::pair{FewBits{DType::kI8, 0}, 0.01},
                                    {FewBits{DType::kI8, 16}, 0.01},
                                    {FewBits{DType::kI4, 32}, 0.15},
                                    {FewBits{DType::kI4, 64}, 0.15},
                                    {FewBits{DType::kI4, 7}, 0.15}}) {
    const auto g = product_by("random float32[40,24] seed 1"), before = g->clone();
    run_passes(*g, {weights_in_few_bits(form)});
    const ir::Node& n = *g->nodes().front();
    ASSERT_TRUE(n.is("MatMulDequantized"));
    EXPECT_EQ(n.input(1)->dtype(), form.type);
    const int64_t block = form.block == 0 || form.block > 40 ? 40 : form.block;
    EXPECT_EQ(n.input(2)->constant()->dims(), (Dims{(40 - 1) / block + 1, 24}));
    EXPECT_LT(error_of(*g, *before), bound);
    EXPECT_GT(error_of(*g, *before), 0);
  }
}

TEST(FewBits, ZeroColumnsStayZero) {
  std::string zeros = "0";
  for (int i = 1; i < 40; ++i) zeros += ",0";
  const auto g = product_by(("constant float32[40,1]:{" + zeros + "}").c_str());
  run_passes(*g, {weights_in_few_bits({DType::kI4, 8})});
  EXPECT_TRUE(g->nodes().front()->is("MatMulDequantized"));
  const Tensor y = ir::evaluate(*g, {ir::random_tensor(DType::kF32, {3, 40}, 7)}).at(0).tensor;
  for (int64_t i = 0; i < y.size(); ++i) EXPECT_EQ(y.at(i), 0);
}

// Random weights of which those from row `first` to `last` are multiplied by `factor`.
Tensor weights_times(double factor, int64_t first, int64_t last) {
  Tensor w = ir::random_tensor(DType::kF32, {40, 24}, 1).clone();
  for (int64_t i = first * 24; i < last * 24; ++i) w.set(i, w.at(i) * factor);
  return w;
}

std::unique_ptr<ir::Graph> product_by(const Tensor& w) {
  return ir::parse_graph(
      "graph main(%x: float32[3,40]) {\n %w = @w float32[40,24]\n %y = MatMul \"fc\"(%x, %w)\n "
      "return %y\n}",
      {{"w", w}});
}

TEST(FewBits, WeightsOfAnyNormalSizeHaveScales) {
  for (double factor : {1e-34, 1e-19, 1e-17, 1e17, 1e19, 1e36}) {
    const auto g = product_by(weights_times(factor, 0, 40)), before = g->clone();
    run_passes(*g, {weights_in_few_bits({DType::kI8, 16})});
    EXPECT_TRUE(g->nodes().front()->is("MatMulDequantized")) << factor;
    EXPECT_LT(error_of(*g, *before), 0.01) << factor;
  }
}

TEST(FewBits, WeightsWithoutScalesStay) {
  for (double factor : {1e-38, 1e-42}) {
    const auto g = product_by(weights_times(factor, 0, 40));
    const PassReport report = run_passes(*g, {weights_in_few_bits({DType::kI4, 8})});
    EXPECT_TRUE(g->nodes().front()->is("MatMul")) << factor;
    ASSERT_EQ(report.remarks.size(), 1u);
    EXPECT_NE(report.remarks[0].find("'fc' keeps its weights: column 0 has weights up to"), std::string::npos)
        << report.remarks[0];
  }
}

TEST(FewBits, BlocksOfNothingDoNotKeepAColumn) {
  const auto g = product_by(weights_times(1e-42, 8, 16)), before = g->clone();
  run_passes(*g, {weights_in_few_bits({DType::kI8, 8})});
  EXPECT_TRUE(g->nodes().front()->is("MatMulDequantized"));
  EXPECT_LT(error_of(*g, *before), 0.01);
}

TEST(FewBits, WeightsThatAreIntegersAreCounted) {
  const auto g = ir::parse_graph(R"(graph main(%x: float32[3,4]) {
    %w = random int8[4,2] seed 1
    %s = constant float32[]:{0.5}
    %d = Dequantize(%w, %s)
    %y = MatMul "fc"(%x, %d)
    return %y
  })");
  const PassReport report = run_passes(*g, {weights_in_few_bits({DType::kI8, 0})});
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_NE(report.remarks[0].find("integers already, by ranges or in the model: those of 1 product ("),
            std::string::npos)
      << report.remarks[0];
}

TEST(FewBits, RulesThatAreHeldBackGiveNoReason) {
  const auto g = ir::parse_graph(
      "graph main(%x: float32[3,4]) {\n %w = random float32[4,5] seed 1\n %y = MatMul(%x, %w)\n return %y\n}");
  PassOptions options;
  options.disabled = {std::string(kWeightsInFewBits)};
  EXPECT_TRUE(run_passes(*g, {weights_in_few_bits({DType::kI8, 0})}, options).remarks.empty());
  EXPECT_TRUE(g->nodes().front()->is("MatMul"));
}

TEST(FewBits, OtherProductsStay) {
  const char* const graphs[] = {
      "graph main(%x: float32[3,4], %w: float32[4,2]) {\n %y = MatMul(%x, %w)\n return %y\n}",
      "graph main(%x: float32[2,3,4]) {\n %w = random float32[2,4,5] seed 1\n %y = MatMul(%x, %w)\n return %y\n}",
      "graph main(%x: float32[4]) {\n %w = random float32[4,5] seed 1\n %y = MatMul(%x, %w)\n return %y\n}",
      "graph main(%x: float64[3,4]) {\n %w = random float64[4,5] seed 1\n %y = MatMul(%x, %w)\n return %y\n}",
      "graph main(%x: float32[3,4]) {\n %w = random float32[4,5] seed 1\n %y = MatMul(%x, %w) in float32\n return "
      "%y\n}",
      "graph main(%x: float32[3,1]) {\n %w = constant float32[1,2]:{1,inf}\n %y = MatMul(%x, %w)\n return %y\n}"};
  for (const char* text : graphs) {
    const auto g = ir::parse_graph(text);
    run_passes(*g, {weights_in_few_bits({DType::kI8, 0})});
    EXPECT_TRUE(g->nodes().front()->is("MatMul")) << text;
  }
}

}  // namespace
}  // namespace kiln::passes
