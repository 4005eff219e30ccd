// Which layouts the values of a network get, and that results stay.
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// The operators of the steps in order.
std::string steps_of(const std::string& text, CompileOptions options = options_of("cpu", 0)) {
  CompileReport report;
  compile(ir::parse_graph(text), options, &report);
  std::string ops;
  for (const LayerReport& layer : report.layers) ops += (ops.empty() ? "" : " ") + layer.op;
  return ops;
}

std::string graph_of(const std::string& body, const std::string& inputs = "%x: float32[1,16,12,12]") {
  return "graph main(" + inputs +
         ") {\n  %w = random float32[16,16,3,3] seed 1\n  %v = random float32[16,16,3,3] seed 2\n" + body + "}";
}

const std::string kConv = " {pads=[1,1,1,1]}\n";

TEST(Formats, ANormalisationOverChannelsReadsPixels) {
  const std::string text = graph_of("  %a = Conv(%x, %w)" + kConv + "  %b = Softmax(%a) {axis=1}\n  %c = Conv(%b, %v)" +
                                    kConv + "  return %c\n");
  EXPECT_EQ(steps_of(text), "Reformat Conv Softmax Conv Reformat");
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 3)}}});
}

TEST(Formats, WhatTakesBothStaysInTheLayoutAroundIt) {
  const std::string text =
      graph_of("  %a = Conv(%x, %w)" + kConv +
               "  %s = Sin(%a)\n  %p = MaxPool(%s) {kernel_shape=[2,2], strides=[2,2]}\n  %c = Conv(%p, %v)" + kConv +
               "  return %c\n");
  EXPECT_EQ(steps_of(text), "Reformat Conv Sin MaxPool Conv Reformat");
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 4)}}});
}

TEST(Formats, ATransposeReadsChannelsLast) {
  const std::string text =
      graph_of("  %a = Conv(%x, %w)" + kConv + "  %t = Transpose(%a) {perm=[0,2,3,1]}\n  return %t\n");
  EXPECT_EQ(steps_of(text), "Reformat Conv Transpose");
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 5)}}});
}

TEST(Formats, OutputsHaveTheLayoutThatIsAskedFor) {
  CompileOptions options = options_of("cpu", 0);
  options.output_layouts = {Layout::channels_last(4)};
  const std::string text = graph_of("  %a = Conv(%x, %w)" + kConv + "  return %a\n");
  EXPECT_EQ(steps_of(text, options), "Reformat Conv");
  EXPECT_EQ(steps_of(text), "Reformat Conv Reformat");
}

TEST(Formats, NothingIsTurnedWithoutNeed) {
  const std::string text =
      "graph main(%x: float32[2,8,6,6]) {\n  %a = Sin(%x)\n  %b = Softmax(%a) {axis=1}\n  return %b\n}";
  EXPECT_EQ(steps_of(text), "Sin Softmax");
}

TEST(Formats, BodiesOfLoopsHaveLayoutsOfTheirOwn) {
  const std::string text = R"(graph main(%n: int64[], %x: float32[1,16,12,12]) {
  %y = Loop(%n, _, %x) regions {
    graph body(%i: int64[], %c: bool[], %s: float32[1,16,12,12]) {
      %w = random float32[16,16,3,3] seed 1
      %v = random float32[16,16,3,3] seed 2
      %few = constant float32[]:{0.02}
      %q = Mul(%s, %few)
      %a = Conv(%q, %w) {pads=[1,1,1,1]}
      %b = Softmax(%a) {axis=1}
      %d = Conv(%b, %v) {pads=[1,1,1,1]}
      %t = Identity(%c)
      return %t, %d
    }
  }
  return %y
})";
  const std::string steps = steps_of(text);
  EXPECT_EQ(steps, "Mul Reformat Conv Softmax Conv Identity Reformat");
  expect_same_as_reference(text, {{{Tensor::scalar(int64_t{3}), random_f32({1, 16, 12, 12}, 3)}}});
}

TEST(Formats, ALastResortReadsRows) {
  const std::string text = graph_of("  %a = Conv(%x, %w)" + kConv + "  %d = Det(%a)\n  return %d\n");
  EXPECT_EQ(steps_of(text), "Reformat Conv Reformat Det");
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 6)}}});
}

TEST(Formats, ValuesOfOnePixelAreNotTurned) {
  const std::string text =
      graph_of("  %a = Conv(%x, %w)" + kConv + "  %g = GlobalAveragePool(%a)\n  %f = Flatten(%g)\n  return %f\n");
  EXPECT_EQ(steps_of(text).find("Reformat", 10), std::string::npos);
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 7)}}});
}

}  // namespace
}  // namespace kiln::testing
