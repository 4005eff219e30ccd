// Fused nodes that no tactic takes: what is split off, and that the results stay.
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// "Conv Mish": the operators of the steps but those that only change a layout; "(reference)" behind those that the last resort runs.
std::string split_steps(const std::string& text, const std::string& target = "cpu") {
  CompileReport report;
  const plan::Plan plan = compile(ir::parse_graph(text), options_of(target, 0), &report);
  std::string ops;
  for (const LayerReport& layer : report.layers)
    if (layer.op != "Reformat")
      ops += (ops.empty() ? "" : " ") + layer.op + (layer.tactic == "reference" ? "(reference)" : "");
  return ops;
}

std::string with_posts(const std::string& body) {
  return "graph main(%x: float32[2,3,6,5], %z: float32[2,4,6,5]) {\n"
         "  %w = random float32[4,3,3,3] seed 1\n"
         "  %k = random float32[4,1,1] seed 2\n"
         "  %c = Conv \"conv1\"(%x, %w) {pads=[1,1,1,1]}\n" +
         body + "}";
}
void expect_same(const std::string& text) {
  expect_same_as_reference(text, {{{random_f32({2, 3, 6, 5}, 5), random_f32({2, 4, 6, 5}, 6)}}});
}

TEST(Split, ActivationThatNoKernelHas) {
  for (const char* op : {"Mish", "Softplus", "Exp", "Selu", "Sin", "Erf", "Abs"}) {
    const std::string text = with_posts("  %y = " + std::string(op) + "(%c)\n  return %y\n");
    EXPECT_EQ(split_steps(text), "Conv " + std::string(op)) << op;
    expect_same(text);
  }
}

TEST(Split, TheLongestListStays) {
  const std::string text =
      with_posts("  %a = Add(%c, %z)\n  %r = Relu(%a)\n  %m = Mul(%r, %k)\n  %s = Sub(%z, %m)\n  return %s\n");
  EXPECT_EQ(split_steps(text), "Conv Mul");
  expect_same(text);
}

// No kernel convolves float64, so the activation comes off, and what the convolution would not have taken is right behind it.
TEST(Split, WhatComesOffIsOneWithThePointwiseNodeBehindIt) {
  const std::string text = R"(graph main(%x: float64[2,3,6,5]) {
    %v = random float32[4,3,3,3] seed 1
    %w = Cast(%v) {to="float64"}
    %c = Conv(%x, %w) {pads=[1,1,1,1]}
    %r = Relu(%c)
    %y = Exp(%r)
    return %y
  })";
  EXPECT_EQ(split_steps(text), "Conv(reference) Relu");
  expect_same_as_reference(text, {{{random_f32({2, 3, 6, 5}, 5).cast(DType::kF64)}}});
}

TEST(Split, NothingThatATacticTakes) {
  EXPECT_EQ(split_steps(with_posts("  %r = Relu(%c)\n  %a = Add(%r, %z)\n  return %a\n")), "Conv");
  EXPECT_EQ(split_steps(with_posts("  %y = Mish(%c)\n  return %y\n"), "ref"), "Conv(reference) Mish(reference)");
}

TEST(Split, ResultsThatSeveralRead) {
  expect_same(with_posts("  %m = Mul(%c, %c)\n  %n = Neg(%m)\n  %p = Exp(%n)\n  return %m, %p\n"));
}

TEST(Split, MatrixProductInALoop) {
  expect_same_as_reference(R"(graph main(%n: int64[], %x: float32[3,4]) {
    %y = Loop(%n, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %s: float32[3,4]) {
        %w = random float32[4,4] seed 3
        %m = MatMul(%s, %w)
        %t = Sin(%m)
        %go = Identity(%c)
        return %go, %t
      }
    }
    return %y
  })",
                           {{{Tensor::scalar(int64_t{3}), random_f32({3, 4}, 9)}}});
}

}  // namespace
}  // namespace kiln::testing
