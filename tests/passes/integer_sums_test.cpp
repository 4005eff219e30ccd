// Products of quantized tensors become products of integers where their sums fit int32, and only there.
#include "passes/quantize/integer_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "ir/text.h"
#include "passes/pass.h"
#include "passes/quantize/by_range.h"
#include "passes/quantize/quantized_values.h"

namespace kiln::passes {
namespace {

Tensor filled(DType type, const Dims& dims, double value) {
  Tensor t = Tensor::allocate(type, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.set(i, value);
  return t;
}

struct Quantized {
  std::unique_ptr<ir::Graph> graph;
  PassReport report;
  bool has(std::string_view op) const {
    return std::any_of(graph->nodes().begin(), graph->nodes().end(), [&](const auto& n) { return n->is(op); });
  }
  bool says_why() const {
    return std::any_of(report.remarks.begin(), report.remarks.end(),
                       [](const std::string& s) { return s.find(kSumsMayWrap) != s.npos; });
  }
};

Quantized quantized(const std::string& text, const ir::TensorMap& constants = {}) {
  Quantized q{ir::parse_graph(text, constants), {}};
  q.report = run_passes(*q.graph, {quantize()});
  return q;
}

void expect_whole(const Quantized& q, const char* op, bool whole) {
  EXPECT_EQ(q.has(op), whole);
  EXPECT_NE(q.says_why(), whole);
}

constexpr int64_t kMost = 33025;  // terms of 255 * 255 within 2^31

std::string matrix_product(int64_t terms, int x_zero, int w_zero) {
  const std::string k = std::to_string(terms);
  return "graph main(%x: uint8[2," + k + "]) {\n %s = constant float32[]:{0.5}\n %xz = constant uint8[]:{" +
         std::to_string(x_zero) + "}\n %wz = constant int8[]:{" + std::to_string(w_zero) + "}\n %w = @w int8[" + k +
         ",3]\n %dx = Dequantize(%x, %s, %xz)\n %dw = Dequantize(%w, %s, %wz)\n %y = MatMul \"mm\"(%dx, %dw)\n return "
         "%y\n}";
}

TEST(IntegerSums, MatricesByTheirWeights) {
  const auto product = [](int64_t terms, int x_zero, int w_zero, double weight) {
    return quantized(matrix_product(terms, x_zero, w_zero), {{"w", filled(DType::kI8, {terms, 3}, weight)}});
  };
  expect_whole(product(kMost, 0, -128, 127), "MatMulInteger", true);
  expect_whole(product(kMost + 1, 0, -128, 127), "MatMulInteger", false);
  expect_whole(product(kMost + 1, 255, 127, -128), "MatMulInteger", false);
  expect_whole(product(65000, 128, -128, 127), "MatMulInteger", true);  // x lies in -128 to 127
  expect_whole(product(4 * kMost, 0, 0, 1), "MatMulInteger", true);
}

TEST(IntegerSums, OrdinaryWeightsOfManyTermsStayWhole) {
  const Tensor w = ir::random_tensor(DType::kI8, {4 * kMost, 3}, 1);
  expect_whole(quantized(matrix_product(4 * kMost, 0, 0), {{"w", w}}), "MatMulInteger", true);
}

TEST(IntegerSums, OneColumnIsEnough) {
  Tensor w = filled(DType::kI8, {kMost + 1, 3}, 1);
  for (int64_t i = 0; i <= kMost; ++i) w.set_int(i * 3 + 1, 127);
  expect_whole(quantized(matrix_product(kMost + 1, 0, -128), {{"w", w}}), "MatMulInteger", false);
  for (int64_t i = 0; i < 3; ++i) w.set_int(i * 3 + 1, -128);
  expect_whole(quantized(matrix_product(kMost + 1, 0, -128), {{"w", w}}), "MatMulInteger", true);
}

TEST(IntegerSums, ConvolutionsAndTheirBias) {
  const auto conv = [](int64_t channels, double weight, int64_t bias) {
    const std::string c = std::to_string(channels);
    return quantized(
        "graph main(%x: uint8[1," + c +
            ",3,3]) {\n %s = constant float32[]:{0.5}\n %bs = constant float32[]:{0.25}\n %w = @w int8[2," + c +
            ",3,3]\n %b = constant int32[2]:{0," + std::to_string(bias) +
            "}\n %wz = constant int8[2,1,1,1]:{0,-128}\n %dx = Dequantize(%x, %s)\n %dw = Dequantize(%w, "
            "%s, %wz)\n %db = Dequantize(%b, %bs)\n %y = Conv \"conv\"(%dx, %dw, %db)\n return %y\n}",
        {{"w", filled(DType::kI8, {2, channels, 3, 3}, weight)}});
  };
  expect_whole(conv(3700, 127, 5), "ConvInteger", false);
  expect_whole(conv(3600, 127, 5), "ConvInteger", true);
  for (int64_t bias : {INT32_MAX, INT32_MIN, 1000}) {
    const Quantized q = conv(2, 1, bias);
    expect_whole(q, "ConvInteger", true);
    const ir::Node& n = *q.graph->nodes().back();
    const bool joins = bias != INT32_MAX;  // the least is not passed by sums that are not negative
    EXPECT_EQ(n.post.front().op->name(), joins ? "Add" : "Cast") << bias;
    const Tensor x = filled(DType::kU8, {1, 2, 3, 3}, 255);
    EXPECT_NEAR(ir::evaluate(*q.graph, {x}).at(0).tensor.at(1), 0.25 * (static_cast<double>(bias) + 18.0 * 255 * 129),
                64);
  }
}

TEST(IntegerSums, QLinearOperators) {
  const auto product = [](int64_t terms) {
    const std::string k = std::to_string(terms);
    return quantized(
        "graph main(%x: uint8[1," + k +
            "]) {\n %s = constant float32[]:{1.0}\n %ys = constant float32[]:{33554432.0}\n %xz = constant "
            "uint8[]:{255}\n %wz = constant int8[]:{127}\n %yz = constant uint8[]:{128}\n %w = @w int8[" +
            k + ",1]\n %y = QLinearMatMul \"mm\"(%x, %s, %xz, %w, %s, %wz, %ys, %yz)\n return %y\n}",
        {{"w", filled(DType::kI8, {terms, 1}, -128)}});
  };
  expect_whole(product(kMost), "MatMulInteger", true);
  expect_whole(product(kMost + 1), "MatMulInteger", false);
  const Tensor y = ir::evaluate(*product(40000).graph, {filled(DType::kU8, {1, 40000}, 0)}).at(0).tensor;
  EXPECT_EQ(y.int_at(0), 128 + 78);
  const auto conv = [](const char* bias) {
    return quantized(std::string("graph main(%x: uint8[1,1,1,1]) {\n %s = constant float32[]:{1.0}\n %z = constant "
                                 "uint8[]:{0}\n %wz = constant int8[]:{0}\n %w = constant int8[1,1,1,1]:{1}\n %b = "
                                 "constant int32[1]:{") +
                     bias + "}\n %y = QLinearConv \"conv\"(%x, %s, %z, %w, %s, %wz, %s, %z, %b)\n return %y\n}");
  };
  expect_whole(conv("2147483000"), "ConvInteger", true);
  expect_whole(conv("2147483647"), "ConvInteger", false);
}

TEST(IntegerSums, TwoOperandsOfARun) {
  const auto pair = [](int64_t terms, const char* type) {
    const std::string k = std::to_string(terms);
    return quantized(
        std::string("graph main(%a: ") + type + "[1," + k + "], %b: int8[" + k +
        ",1]) {\n %s = constant float32[]:{0.5}\n %da = Dequantize(%a, %s)\n %db = Dequantize(%b, %s)\n %y "
        "= MatMul \"mm\"(%da, %db)\n return %y\n}");
  };
  expect_whole(pair(INT32_MAX / (255 * 128), "uint8"), "MatMulInteger", true);
  expect_whole(pair(INT32_MAX / (255 * 128) + 1, "uint8"), "MatMulInteger", false);
  expect_whole(pair(131071, "int8"), "MatMulInteger", true);
  expect_whole(pair(131072, "int8"), "MatMulInteger", false);  // (-128)² * 2^17 is 2^31
}

TEST(IntegerSums, TermsThatAreASymbolHaveABound) {
  const auto pair = [](std::function<std::optional<int64_t>(const Dim&)> largest) {
    Quantized q{ir::parse_graph("graph main(%a: uint8[1,k], %b: int8[k,1]) {\n %s = constant float32[]:{0.5}\n %da = "
                                "Dequantize(%a, %s)\n %db = Dequantize(%b, %s)\n %y = MatMul \"mm\"(%da, %db)\n "
                                "return %y\n}"),
                {}};
    q.report = run_passes(*q.graph, {quantize()}, {.largest = std::move(largest)});
    return q;
  };
  constexpr int64_t kLargest = INT32_MAX / (255 * 128);
  expect_whole(pair([](const Dim&) { return kLargest; }), "MatMulInteger", true);
  expect_whole(pair([](const Dim&) { return kLargest + 1; }), "MatMulInteger", false);
  EXPECT_FALSE(pair([](const Dim&) { return std::nullopt; }).has("MatMulInteger"));
  EXPECT_FALSE(pair(nullptr).has("MatMulInteger"));
}

TEST(IntegerSums, RangesOfFloatNetworks) {
  const auto g = ir::parse_graph(
      "graph main(%x: float32[2,140000]) {\n %w = @w float32[140000,1]\n %y = MatMul \"mm\"(%x, %w)\n return %y\n}",
      {{"w", filled(DType::kF32, {140000, 1}, 1)}});
  const PassReport report = run_passes(*g, {quantize_by_ranges({{"x", 1.0}})});
  EXPECT_TRUE(g->nodes().front()->is("MatMul"));
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0], std::string("'mm' (MatMul) stays in float32: ") + kSumsMayWrap);
}

}  // namespace
}  // namespace kiln::passes
