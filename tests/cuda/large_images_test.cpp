// What the rules for images larger than the cache make of graphs, against what they were.
#include "backends/cuda/target/large_images.h"

#include <gtest/gtest.h>

#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/target.h"
#include "cuda/graphs.h"
#include "passes/pass.h"

namespace kiln::cuda {
namespace {

// As many of 8 channels of 9x9 as the cache holds.
int64_t most_cached() { return target_chip().cache / (8 * 9 * 9 * 2); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}
// Texts have N for the number of images.
std::string with_images(const std::string& text, const std::string& from, const std::string& to) {
  return replaced(text, "[" + from + ",", "[" + to + ",");
}

std::unique_ptr<ir::Graph> after(const std::string& text, const std::vector<const passes::Rule*>& rules) {
  auto graph = ir::parse_graph(text);
  passes::run_passes(*graph,
                     {{"large", [&](ir::Graph& g, passes::PassContext& c) { passes::apply_rules(g, rules, c); }}},
                     {.limits = target().fusion()});
  return graph;
}

// What the rules leave. It computes the same, as two images show.
std::string left_by(const std::vector<const passes::Rule*>& rules, const std::string& text) {
  const std::string many = std::to_string(most_cached() + 1);
  const auto graph = after(with_images(text, "N", many), rules);
  const auto before = ir::parse_graph(with_images(text, "N", "2")),
             behind = ir::parse_graph(with_images(ir::to_text(*graph), many, "2"), ir::referenced_constants(*graph));
  const Tensor wanted = values_of(*before)[0].tensor, got = values_of(*behind)[0].tensor;
  EXPECT_EQ(wanted.dims(), got.dims()) << text;
  for (int64_t i = 0; i < std::min(wanted.size(), got.size()); ++i) {
    EXPECT_EQ(wanted.at(i), got.at(i)) << i << " of\n" << text;
    if (wanted.at(i) != got.at(i)) break;
  }
  return operator_names(*graph);
}

struct Squeeze {
  std::string images = "N", type = "float16", x = "8,9,9", w = "8,1,3,3", window = "group=8,pads=[1,1,1,1]",
              post = " + Swish(.)", bias = "%wb", results = "%y", squeeze = "Relu";
  std::string text() const {
    return "graph main(%x: " + type + "[" + images + "," + x + "]) {\n  %w = random " + type + "[" + w +
           "] seed 1\n  %wb = random " + type + "[8] seed 2\n  %s = random " + type +
           "[4,8,1,1] seed 3\n  %sb = random " + type + "[4] seed 4\n  %e = random " + type +
           "[8,4,1,1] seed 5\n  %c = Conv \"conv\"(%x, %w, " + bias + ") {" + window + "}" + post +
           "\n  %y = SqueezeExcite \"squeeze\"(%c, %s, %sb, %e, _) {alpha=0.25,excite_activation=\"HardSigmoid\","
           "squeeze_activation=\"" +
           squeeze + "\"}\n  return " + results + "\n}\n";
  }
};

std::string excited(const Squeeze& squeeze) { return left_by({&passes::conv_excite}, squeeze.text()); }

// Without the evaluation, for sizes and types that two images do not stand for.
std::string after_rules(const std::string& text) {
  return operator_names(
      *after(with_images(text, "N", std::to_string(most_cached() + 1)), {&passes::conv_excite, &passes::scaled_conv}));
}

TEST(CudaConvExciteRule, TakesConvolutionsOfEachChannelAlone) {
  EXPECT_EQ(excited({}), "ConvExcite Mul");
  EXPECT_EQ(excited({.type = "bfloat16"}), "ConvExcite Mul");
  EXPECT_EQ(excited({.w = "8,1,5,5", .window = "group=8,pads=[2,2,2,2]"}), "ConvExcite Mul");
  EXPECT_EQ(excited({.x = "8,18,18", .window = "group=8,pads=[1,1,1,1],strides=[2,2]"}), "ConvExcite Mul");
  EXPECT_EQ(excited({.x = "8,9,9", .window = "group=8,auto_pad=\"SAME_UPPER\""}), "ConvExcite Mul");
  EXPECT_EQ(excited({.post = ""}), "ConvExcite Mul");
  EXPECT_EQ(excited({.post = " + HardSwish(.)", .bias = "_"}), "ConvExcite Mul");
}

TEST(CudaConvExciteRule, KeepsNamesAndAttributes) {
  const auto graph =
      after(with_images(Squeeze().text(), "N", std::to_string(most_cached() + 1)), {&passes::conv_excite});
  const ir::Node &made = *graph->nodes().front(), &mul = *graph->nodes().back();
  EXPECT_EQ(mul.name(), "conv + squeeze");
  EXPECT_EQ(to_string(made.attributes),
            "{activation=\"Swish\", alpha=0.25, excite_activation=\"HardSigmoid\", group=8, pads=[1,1,1,1], "
            "squeeze_activation=\"Relu\"}");
}

TEST(CudaConvExciteRule, LeavesOthers) {
  const std::string swish = "Conv+Swish SqueezeExcite";
  EXPECT_EQ(excited({.images = "2"}), swish);
  EXPECT_EQ(after_rules(Squeeze{.images = "n"}.text()), swish);
  EXPECT_EQ(after_rules(Squeeze{.images = std::to_string(most_cached())}.text()), swish);
  EXPECT_EQ(excited({.type = "float32"}), swish);
  EXPECT_EQ(excited({.post = " + LeakyRelu(.)"}), "Conv+LeakyRelu SqueezeExcite");
  EXPECT_EQ(excited({.post = " + Relu(.) + Tanh(.)"}), "Conv+Relu+Tanh SqueezeExcite");
  EXPECT_EQ(excited({.squeeze = "Softplus"}), swish);
  EXPECT_EQ(excited({.x = "16,9,9", .w = "8,2,3,3"}), swish);
  EXPECT_EQ(excited({.w = "8,1,3,1", .window = "group=8,pads=[1,0,1,0]"}), swish);
  EXPECT_EQ(excited({.x = "8,27,27", .window = "group=8,pads=[1,1,1,1],strides=[3,3]"}), swish);
  EXPECT_EQ(excited({.results = "%y, %c"}), swish);
  const std::string twice = replaced(Squeeze().text(), "return %y", "%z = Add(%y, %c)\n  return %z");
  EXPECT_EQ(left_by({&passes::conv_excite}, twice), swish + " Add");
}

struct Scaling {
  std::string images = "N", type = "float16", f = "8,1,1", w = "24,8,1,1", bias = "%b", attributes = "", post = "",
              product = "%x, %f", results = "%y";
  std::string text() const {
    const std::string many = type + "[" + images + ",";
    return "graph main(%x: " + many + "8,9,9], %f: " + many + f + "], %r: " + many + "24,9,9]) {\n  %w = random " +
           type + "[" + w + "] seed 1\n  %b = random " + type + "[" + w.substr(0, w.find(',')) +
           "] seed 2\n  %p = Mul \"mul\"(" + product + ")\n  %y = Conv \"conv\"(%p, %w, " + bias + ") {" + attributes +
           "}" + post + "\n  return " + results + "\n}\n";
  }
};

std::string scaled(const Scaling& scaling) { return left_by({&passes::scaled_conv}, scaling.text()); }

TEST(CudaScaledConvRule, TakesOnePixelOfAnImageTimesRows) {
  EXPECT_EQ(scaled({}), "ScaledConv");
  EXPECT_EQ(scaled({.type = "bfloat16"}), "ScaledConv");
  EXPECT_EQ(scaled({.bias = "_"}), "ScaledConv");
  EXPECT_EQ(scaled({.product = "%f, %x"}), "ScaledConv");
  EXPECT_EQ(scaled({.post = " + Relu(.) + Add(., %r)"}), "ScaledConv+Relu+Add");
  EXPECT_EQ(scaled({.bias = "_", .post = " + Add(., %r)"}), "ScaledConv+Add");
  EXPECT_EQ(scaled({.w = "128,8,1,1"}), "ScaledConv");
}

TEST(CudaScaledConvRule, LeavesOthers) {
  EXPECT_EQ(scaled({.images = "2"}), "Mul Conv");
  EXPECT_EQ(after_rules(Scaling{.images = "n"}.text()), "Mul Conv");
  EXPECT_EQ(after_rules(Scaling{.images = std::to_string(most_cached())}.text()), "Mul Conv");
  EXPECT_EQ(scaled({.type = "float32"}), "Mul Conv");
  EXPECT_EQ(scaled({.w = "24,8,3,3"}), "Mul Conv");
  EXPECT_EQ(scaled({.attributes = "strides=[2,2]"}), "Mul Conv");
  EXPECT_EQ(scaled({.attributes = "pads=[1,1,1,1]"}), "Mul Conv");
  EXPECT_EQ(scaled({.w = "136,8,1,1"}), "Mul Conv");
  EXPECT_EQ(scaled({.w = "24,4,1,1", .attributes = "group=2"}), "Mul Conv");
  EXPECT_EQ(scaled({.f = "8,9,1"}), "Mul Conv");
  EXPECT_EQ(scaled({.f = "1,1,1"}), "Mul Conv");
  EXPECT_EQ(scaled({.results = "%y, %p"}), "Mul Conv");
  const std::string twice = replaced(Scaling().text(), "return %y", "%z = Conv(%p, %w, %b)\n  return %y, %z");
  EXPECT_EQ(left_by({&passes::scaled_conv}, twice), "Mul Conv Conv");
  const std::string late = replaced(replaced(Scaling().text(), "  %w = random float16[24,8,1,1] seed 1\n", ""),
                                    ", %r:", ", %w: float16[24,8,1,1], %r:");
  EXPECT_EQ(left_by({&passes::scaled_conv}, late), "Mul Conv");
}

// Weights of a block's memory, and of no more.
TEST(CudaScaledConvRule, AsksTheChip) {
  const auto of_channels = [](int64_t channels) {
    const std::string n = std::to_string(channels);
    return after_rules("graph main(%x: float16[1," + n + ",725,725], %f: float16[1," + n +
                       ",1,1]) {\n  %w = random float16[128," + n +
                       ",1,1] seed 1\n  %p = Mul(%x, %f)\n  %y = Conv(%p, %w)\n  return %y\n}\n");
  };
  EXPECT_EQ(of_channels(target_chip().shared_per_block / 256 / 64 * 64 - 64), "ScaledConv");
  EXPECT_EQ(of_channels(target_chip().shared_per_block / 256 + 64), "Mul Conv");
}

TEST(CudaLargeImages, OneRuleAfterTheOther) {
  const std::string text =
      replaced(Squeeze().text(), "return %y", "%v = random float16[24,8,1,1] seed 9\n  %z = Conv(%y, %v)\n  return %z");
  EXPECT_EQ(left_by(target().rules(), text), "ConvExcite ScaledConv");
}

}  // namespace
}  // namespace kiln::cuda
