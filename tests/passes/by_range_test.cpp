// Quantization of float networks by ranges.
#include "passes/quantize/by_range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ir/graph.h"
#include "ir/text.h"
#include "passes/quantize/few_bits.h"
#include "passes/quantize/integer_sums.h"

namespace kiln::passes {
namespace {

std::unique_ptr<ir::Graph> block() {
  return ir::parse_graph(R"(graph main(%x: float32[1,4,5,5]) {
    %w = random float32[4,4,3,3] seed 1
    %v = random float32[4,4,1,1] seed 2
    %c = Conv "conv1"(%x, %w) {pads = [1,1,1,1]}
    %r = Relu "relu1"(%c)
    %t = Transpose "t1"(%r) {perm = [0,1,3,2]}
    %d = Conv "conv2"(%t, %v)
    %s = Add "sum"(%d, %t)
    %y = Relu "relu2"(%s)
    return %y
  })");
}

size_t count(const ir::Graph& g, const char* op) {
  size_t found = 0;
  for (const auto& n : g.nodes()) found += n->is(op);
  return found;
}

TEST(ByRange, ProductsAndSumsReadIntegers) {
  const auto g = block();
  // The range of t is that of r, of which it is made; both readers of t share its integers.
  run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}, {"r", 12.0}})});
  EXPECT_EQ(count(*g, "Quantize"), 2u);
  run_passes(*g, {quantize()});
  EXPECT_EQ(count(*g, "ConvInteger"), 2u);
  EXPECT_EQ(count(*g, "Conv"), 0u);
  const auto before = block();
  const Tensor x = ir::random_tensor(DType::kF32, {1, 4, 5, 5}, 7);
  const Tensor want = ir::evaluate(*before, {x}).at(0).tensor, got = ir::evaluate(*g, {x}).at(0).tensor;
  double error = 0, size = 0;
  for (int64_t i = 0; i < want.size(); ++i) {
    error += std::pow(got.at(i) - want.at(i), 2);
    size += std::pow(want.at(i), 2);
  }
  EXPECT_LT(error, 1e-3 * size);
}

// Two groups, of which a column of each shares its scale; a stride and a window of its own.
TEST(ByRange, TransposedConvolutionsReadIntegers) {
  for (const char* attributes : {"group = 2, strides = [2,2]", "group = 2, strides = [2,2], pads = [1,1,1,1]",
                                 "group = 1, strides = [1,1], dilations = [2,1]"}) {
    const std::string columns = std::string(attributes).find("group = 2") == 0 ? "3" : "6";
    const auto graph = [&] {
      return ir::parse_graph("graph main(%x: float32[1,4,5,6]) {\n %w = random float32[4," + columns +
                             ",3,3] seed 1\n %b = random float32[6] seed 2\n %y = ConvTranspose \"up\"(%x, %w, %b) {" +
                             attributes + "}\n return %y\n}");
    };
    const auto before = graph(), g = graph();
    run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}}), quantize()});
    EXPECT_GT(count(*g, "ConvInteger"), 0u) << attributes;
    EXPECT_EQ(count(*g, "ConvTranspose") + count(*g, "Conv"), 0u) << attributes;
    const Tensor x = ir::random_tensor(DType::kF32, {1, 4, 5, 6}, 7);
    const Tensor want = ir::evaluate(*before, {x}).at(0).tensor, got = ir::evaluate(*g, {x}).at(0).tensor;
    double error = 0, size = 0;
    for (int64_t i = 0; i < want.size(); ++i) {
      error += std::pow(got.at(i) - want.at(i), 2);
      size += std::pow(want.at(i), 2);
    }
    EXPECT_LT(error, 1e-3 * size) << attributes;
  }
}

TEST(ByRange, TransposedConvolutionsThatAreNoConvolutionsStay) {
  const auto g = ir::parse_graph(R"(graph main(%x: float32[1,2,4,4]) {
    %w = random float32[2,2,3,3] seed 1
    %y = ConvTranspose "up"(%x, %w) {strides = [2,1]}
    return %y
  })");
  const PassReport report = run_passes(*g, {quantize_by_ranges({{"x", 1.0}}), quantize()});
  EXPECT_EQ(count(*g, "Quantize"), 0u);
  EXPECT_EQ(report.remarks,
            std::vector<std::string>{"'up' (ConvTranspose) stays in float32: the strides are not alike"});
}

TEST(ByRange, StaysWideWithoutARange) {
  const auto g = block();
  run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}})});
  run_passes(*g, {quantize()});
  EXPECT_EQ(count(*g, "ConvInteger"), 1u);
  EXPECT_EQ(count(*g, "Conv"), 1u);
}

TEST(ByRange, WhatStaysWideIsToldOnce) {
  const auto g = ir::parse_graph(R"(graph main(%x: float32[2,4], %f: float32[2,4]) {
    %w = random float32[4,4] seed 1
    %a = MatMul "bytes"(%x, %w)
    %b = MatMul "slow"(%a, %w)
    %c = MatMul "no range"(%f, %w)
    return %b, %c
  })");
  RangeOptions options;
  options.slower = {"slow"};
  PassReport report;
  for (const Pass& pass : {quantize_by_ranges({{"x", 1.0}, {"a", 1.0}}, options), quantize()})
    run_passes(*g, {pass}, {}, report);
  EXPECT_EQ(report.remarks,
            (std::vector<std::string>{"'slow' (MatMul) stays in float32: int8 makes it slower",
                                      "'no range' (MatMul) stays in float32: there is no range of 'f'"}));
}

TEST(ByRange, ProductsThatInt8MakesSlowerKeepTheirWeightsInFewBits) {
  const auto g = ir::parse_graph(R"(graph main(%x: float32[2,4]) {
    %w = random float32[4,4] seed 1
    %v = random float32[4,4] seed 2
    %t = MatMul "slow"(%x, %w)
    %y = MatMul "fast"(%t, %v)
    return %y
  })");
  RangeOptions options;
  options.slower = {"slow"};
  const PassReport report =
      run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}, {"t", 1.0}}, options), weights_in_few_bits({})});
  EXPECT_EQ(report.remarks.at(0), "'slow' (MatMul) stays in float32: int8 makes it slower");
  EXPECT_EQ(count(*g, "Quantize"), 1u);
  ASSERT_EQ(count(*g, "MatMulDequantized"), 1u);
  const auto weighed =
      std::find_if(g->nodes().begin(), g->nodes().end(), [](const auto& n) { return n->is("MatMulDequantized"); });
  EXPECT_EQ((*weighed)->name(), "slow");
}

TEST(ByRange, RulesThatAreHeldBackBlameNoWeights) {
  const TensorRanges ranges{{"x", 1.0}, {"r", 12.0}};
  PassOptions disabled, limited;
  disabled.disabled = {std::string(kQuantizedByRange)};
  limited.stop_after = 1;
  for (const PassOptions& options : {disabled, limited}) {
    const auto g = block();
    const PassReport report = run_passes(*g, {quantize_by_ranges(ranges)}, options);
    EXPECT_EQ(report.fired.size(), options.stop_after == 1 ? 1u : 0u);
    EXPECT_TRUE(report.remarks.empty()) << report.remarks.front();
  }
  const auto odd = ir::parse_graph(R"(graph main(%x: float32[2,2]) {
    %w = constant float32[2,1]:{1,inf}
    %y = MatMul "fc"(%x, %w)
    return %y
  })");
  const PassReport report = run_passes(*odd, {quantize_by_ranges(ranges)});
  EXPECT_EQ(report.remarks, std::vector<std::string>{"'fc' (MatMul) stays in float32: a weight is not finite"});
}

TEST(ByRange, RulesThatFireAreAmongTheNames) {
  const auto g = block();
  const std::vector<std::string> names = rule_names();
  for (const auto& [rule, fired] :
       run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}, {"r", 12.0}})}).counts)
    EXPECT_EQ(std::count(names.begin(), names.end(), rule), 1) << rule;
}

TEST(ByRange, RangesThatAreNoneAreNotUsed) {
  for (double range : {0.0, std::nan(""), HUGE_VAL, -1.0, 1e-40}) {
    const auto g = block();
    run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}, {"r", range}})});
    EXPECT_EQ(count(*g, "Quantize"), 1u) << range;
  }
}

// ‖got - wanted‖² / ‖wanted‖² of the first output, and the mean of the differences per column of two dimensions.
struct Difference {
  double squared = 0;
  std::vector<double> means;
};
Difference difference(const ir::Graph& got, const ir::Graph& wanted, const Tensor& x) {
  const Tensor a = ir::evaluate(got, {x}).at(0).tensor, b = ir::evaluate(wanted, {x}).at(0).tensor;
  Difference d;
  double size = 0;
  const int64_t columns = b.dims().back();
  d.means.assign(static_cast<size_t>(columns), 0);
  for (int64_t i = 0; i < b.size(); ++i) {
    d.squared += std::pow(a.at(i) - b.at(i), 2);
    size += std::pow(b.at(i), 2);
    d.means[static_cast<size_t>(i % columns)] += (a.at(i) - b.at(i)) / static_cast<double>(b.size() / columns);
  }
  d.squared /= size;
  return d;
}

// Facts of the columns of a matrix.
ChannelFacts facts_of(const Tensor& x) {
  ChannelFacts facts;
  const int64_t columns = x.dims().back();
  for (int64_t j = 0; j < columns; ++j) {
    float mean = 0, most = 0;
    for (int64_t i = j; i < x.size(); i += columns) {
      mean += static_cast<float>(x.at(i)) / static_cast<float>(x.size() / columns);
      most = std::max(most, std::abs(static_cast<float>(x.at(i))));
    }
    facts.mean.push_back(mean);
    facts.most.push_back(most);
  }
  return facts;
}

std::unique_ptr<ir::Graph> product() {
  return ir::parse_graph(R"(graph main(%x: float32[64,16]) {
    %w = random float32[16,5] seed 3
    %y = MatMul "fc"(%x, %w)
    return %y
  })");
}

TEST(ByRange, TheBiasMakesUpForTheMean) {
  Tensor x = ir::random_tensor(DType::kF32, {64, 16}, 5);
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, x.at(i) + 3);
  const auto before = product();
  double largest[2] = {};
  for (const bool corrects : {false, true}) {
    const auto g = product();
    RangeOptions options{{{"x", facts_of(x)}}, corrects, 0};
    run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 4.0}}, options)});
    for (double mean : difference(*g, *before, x).means)
      largest[corrects] = std::max(largest[corrects], std::abs(mean));
  }
  EXPECT_LT(largest[1], largest[0] / 2);
}

TEST(ByRange, TheBiasOfLinesAndVolumesIsOfTheirColumns) {
  for (const char* space : {"3", "3,2", "3,2,2"}) {
    const std::string text = "graph main(%x: float32[2,2," + std::string(space) + "]) {\n  %w = random float32[5,2," +
                             space + "] seed 3\n  %y = Conv \"conv\"(%x, %w)\n  return %y\n}";
    const auto g = ir::parse_graph(text), before = ir::parse_graph(text);
    const RangeOptions options{{{"x", {.mean = {1, 2}, .most = {4, 4}}}}, true, 0};
    const FusionLimits volumes{.operators = {std::string(kByteVolumes)}};
    run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 4.0}}, options)}, {.limits = volumes});
    EXPECT_EQ(count(*g, "Add"), 1u) << space;
    const Tensor x = ir::random_tensor(DType::kF32, static_dims(g->inputs()[0]->shape()), 5);
    const Tensor got = ir::evaluate(*g, {x}).at(0).tensor, want = ir::evaluate(*before, {x}).at(0).tensor;
    ASSERT_EQ(got.dims(), want.dims()) << space;
    for (int64_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got.at(i), want.at(i), 0.2) << space;
  }
}

TEST(ByRange, VolumesStayWhereTheTargetHasNoneInBytes) {
  const auto g = ir::parse_graph(R"(graph main(%x: float32[1,2,3,3,3]) {
    %w = random float32[4,2,2,2,2] seed 1
    %y = Conv "conv"(%x, %w)
    return %y
  })");
  run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 4.0}})});
  EXPECT_EQ(count(*g, "Quantize"), 0u);
}

TEST(ByRange, OneLargeChannelIsSmoothed) {
  Tensor x = ir::random_tensor(DType::kF32, {64, 16}, 5);
  for (int64_t i = 0; i < x.size(); i += 16) x.set(i, x.at(i) * 100);
  const auto before = product();
  double errors[2] = {};
  for (const bool smooths : {false, true}) {
    const auto g = product();
    RangeOptions options{{{"x", facts_of(x)}}, false, smooths ? 0.5 : 0};
    run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 100.0}}, options)});
    EXPECT_EQ(count(*g, "Mul"), smooths ? 1u : 0u);
    errors[smooths] = difference(*g, *before, x).squared;
  }
  EXPECT_LT(errors[1], errors[0]);
}

TEST(ByRange, FactsOfOtherChannelsAreNotUsed) {
  const auto g = product();
  RangeOptions options{{{"x", {{1, 2}, {1, 2}}}}, true, 0.5};
  run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}}, options)});
  EXPECT_EQ(count(*g, "Mul") + count(*g, "Add"), 0u);
}

TEST(ByRange, LayersBecomeAlikeAndResultsStay) {
  const char* text = R"(graph main(%x: float32[1,2,5,5]) {
    %a = constant float32[3,2,1,1]:{8,4,0.5,-0.25,64,1}
    %b = constant float32[3]:{1,-2,3}
    %v = constant float32[3,1,1,1]:{0.5,2,0.25}
    %w = constant float32[1,3,1,1]:{1,1,1}
    %c = Conv "conv1"(%x, %a, %b)
    %r = Relu "relu1"(%c)
    %d = Conv "depthwise"(%r, %v) {group = 3}
    %y = Conv "conv2"(%d, %w)
    return %y
  })";
  const auto before = ir::parse_graph(text), g = ir::parse_graph(text);
  run_passes(*g, {canonicalize(), equalize_layers()});
  const Tensor x = ir::random_tensor(DType::kF32, {1, 2, 5, 5}, 7);
  const Tensor want = ir::evaluate(*before, {x}).at(0).tensor, got = ir::evaluate(*g, {x}).at(0).tensor;
  for (int64_t i = 0; i < want.size(); ++i) EXPECT_FLOAT_EQ(got.at(i), want.at(i));
  std::vector<double> largest(3, 0);
  for (const auto& n : g->nodes())
    if (n->name() == "conv1")
      for (int64_t i = 0; i < 6; ++i)
        largest[static_cast<size_t>(i / 2)] =
            std::max(largest[static_cast<size_t>(i / 2)], std::abs(n->input(1)->constant()->at(i)));
  EXPECT_LE(*std::max_element(largest.begin(), largest.end()), 8 * *std::min_element(largest.begin(), largest.end()));
}

TEST(ByRange, WhatOthersReadIsNotEqualized) {
  for (const char* rest : {"%s = Add(%d, %r)\n return %s", "%s = Sigmoid(%r)\n %t = Add(%d, %s)\n return %t"}) {
    const auto g = ir::parse_graph(std::string(R"(graph main(%x: float32[1,2,5,5]) {
      %a = constant float32[2,2,1,1]:{8,4,0.5,-0.25}
      %v = constant float32[2,2,1,1]:{0.5,2,0.25,1}
      %c = Conv "conv1"(%x, %a)
      %r = Relu "relu1"(%c)
      %d = Conv "conv2"(%r, %v)
      )") + rest + "\n}");
    run_passes(*g, {equalize_layers()});
    EXPECT_EQ(g->nodes().front()->input(1)->constant()->at(0), 8);
  }
}

// A column of 1 and one of `other`.
std::unique_ptr<ir::Graph> columns_of(double other) {
  Tensor w = Tensor::allocate(DType::kF32, {4, 2});
  for (int64_t i = 0; i < w.size(); ++i) w.set(i, i % 2 ? other : 1);
  return ir::parse_graph(
      "graph main(%x: float32[3,4]) {\n %w = @w float32[4,2]\n %y = MatMul \"fc\"(%x, %w)\n return %y\n}", {{"w", w}});
}

TEST(ByRange, ColumnsWithoutASoundScaleStay) {
  for (double other : {1e21, 1e30}) {
    const auto g = columns_of(other);
    const PassReport report = run_passes(*g, {quantize_by_ranges({{"x", 1.0}})});
    EXPECT_EQ(count(*g, "Quantize"), 0u) << other;
    ASSERT_EQ(report.remarks.size(), 1u);
    EXPECT_EQ(report.remarks[0].find("'fc' (MatMul) stays in float32: column 1 of the weights, up to 1e+"), 0u)
        << report.remarks[0];
  }
  // All columns are small: none is nothing beside the others.
  const auto g = ir::parse_graph(
      "graph main(%x: float32[3,2]) {\n %w = constant float32[2,2]:{1e-20,2e-20,3e-20,1e-20}\n %y = MatMul(%x, %w)\n "
      "return %y\n}");
  run_passes(*g, {quantize_by_ranges({{"x", 1.0}})});
  EXPECT_EQ(count(*g, "Quantize"), 0u);
}

TEST(ByRange, ColumnsThatAreNothingBesideOthersDoNotKeepAProduct) {
  for (double other : {0.0, 1e-17, 1e-30, 1e-42}) {
    const auto g = columns_of(other);
    run_passes(*g, {quantize_by_ranges({{"x", 1.0}})});
    EXPECT_EQ(count(*g, "Quantize"), 1u) << other;
    const Tensor y = ir::evaluate(*g, {ir::random_tensor(DType::kF32, {3, 4}, 7)}).at(0).tensor;
    for (int64_t i = 1; i < y.size(); i += 2) EXPECT_NEAR(y.at(i), 0, 1e-16) << other;
  }
}

TEST(ByRange, RangesOfAnotherNetworkAreAnError) {
  const auto g = block();
  EXPECT_THROW(run_passes(*g, {canonicalize(), quantize_by_ranges({{"elsewhere", 1.0}})}), Error);
}

// What is kept wide, or has no sound range, still shows that the ranges are this network's.
TEST(ByRange, ProductsThatMayNotUseTheirRangesAreNoError) {
  const auto g = block();
  for (const auto& n : g->nodes()) n->precision = DType::kF32;
  run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}, {"r", 12.0}})});
  EXPECT_EQ(count(*g, "Quantize"), 0u);
  const auto unsound = block();
  run_passes(*unsound, {canonicalize(), quantize_by_ranges({{"x", 0.0}})});
  EXPECT_EQ(count(*unsound, "Quantize"), 0u);
}

}  // namespace
}  // namespace kiln::passes
