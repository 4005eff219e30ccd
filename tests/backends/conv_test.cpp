// Convolution tactics against the reference.
#include <gtest/gtest.h>

#include <limits>

#include "backends/tactic_testing.h"

namespace kiln::tactic_testing {
namespace {

const Layout kLast = Layout::channels_last(4);

NodeCase conv(Dims x, Dims w, Attributes attributes, bool bias = true) {
  NodeCase c;
  c.op = "Conv";
  c.attributes = std::move(attributes);
  const Layout layout = Layout::channels_last(static_cast<int>(x.size()));
  c.inputs = {{.dims = x, .layout = layout}, {.dims = w, .constant = true}};
  if (bias) c.inputs.push_back({.dims = {w[0]}, .constant = true});
  c.output_layout = layout;
  c.tolerances = {{"winograd_f4_3x3", 2e-4}, {"winograd_f2_3x3", 5e-5}};
  return c;
}

TEST(ConvTactics, ThreeByThree) {
  for (int64_t size : {1, 2, 5, 13}) {
    const Names names = check(conv({2, 19, size, size + 2}, {33, 19, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}));
    EXPECT_TRUE(has(names, "winograd_f4_3x3") && has(names, "winograd_f2_3x3") && has(names, "conv_nhwc"));
  }
}

TEST(ConvTactics, KernelsStridesDilationsPadding) {
  EXPECT_TRUE(has(check(conv({1, 16, 7, 9}, {40, 16, 1, 1}, {})), "conv_nhwc"));
  check(conv({1, 16, 7, 9}, {24, 16, 1, 1}, {{"strides", Ints{2, 2}}}, false));
  check(conv({2, 5, 11, 8}, {7, 5, 5, 3},
             {{"strides", Ints{2, 1}}, {"dilations", Ints{1, 2}}, {"pads", Ints{2, 1, 0, 3}}}));
  for (const char* padding : {"SAME_UPPER", "SAME_LOWER", "VALID"})
    check(conv({1, 9, 10, 11}, {6, 9, 4, 3}, {{"strides", Ints{2, 3}}, {"auto_pad", std::string(padding)}}));
}

TEST(ConvTactics, Groups) {
  const Names grouped = check(conv({2, 12, 6, 5}, {20, 3, 3, 3}, {{"group", int64_t{4}}, {"pads", Ints{1, 1, 1, 1}}}));
  EXPECT_TRUE(has(grouped, "conv_nhwc"));
  EXPECT_FALSE(has(grouped, "winograd_f4_3x3"));
  for (int64_t stride : {1, 2}) {
    const Names alone =
        check(conv({2, 21, 9, 7}, {21, 1, 3, 3},
                   {{"group", int64_t{21}}, {"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{stride, stride}}}));
    EXPECT_TRUE(has(alone, "conv_depthwise"));
  }
}

TEST(ConvTactics, OneSpatialDimension) {
  EXPECT_TRUE(has(check(conv({2, 6, 17}, {10, 6, 5}, {{"pads", Ints{2, 1}}, {"strides", Ints{2}}})), "conv_nhwc"));
  EXPECT_TRUE(has(check(conv({2, 6, 17}, {6, 1, 3}, {{"group", int64_t{6}}})), "conv_depthwise"));
}

TEST(ConvTactics, FirstLayerReadsRowMajor) {
  NodeCase c = conv({2, 3, 15, 14}, {17, 3, 7, 7}, {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}});
  c.inputs[0].layout = Layout();
  EXPECT_TRUE(has(check(c), "conv_nhwc"));
  c = conv({2, 64, 5, 5}, {17, 64, 3, 3}, {});
  c.inputs[0].layout = Layout();
  EXPECT_NE(refusal(c, "conv_nhwc").find("channels last"), std::string::npos);
}

TEST(ConvTactics, SlicesOfWiderTensors) {
  NodeCase c = conv({2, 16, 6, 7}, {24, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}});
  c.inputs[0].slack = 5;
  c.output_slack = 9;
  EXPECT_TRUE(has(check(c), "winograd_f4_3x3"));
  c = conv({2, 16, 6, 7}, {16, 1, 3, 3}, {{"group", int64_t{16}}});
  c.inputs[0].slack = 16;
  c.output_slack = 3;
  EXPECT_TRUE(has(check(c), "conv_depthwise"));
}

TEST(ConvTactics, Activations) {
  const Operand low{.dims = {}, .constant = true, .value = Tensor::scalar(-0.25f)},
      high{.dims = {}, .constant = true, .value = Tensor::scalar(0.5f)};
  const std::vector<std::pair<ir::PostOp, std::vector<Operand>>> posts = {
      {post("Relu", {-1}), {}},
      {post("LeakyRelu", {-1}, {{"alpha", 0.3}}), {}},
      {post("Sigmoid", {-1}), {}},
      {post("Tanh", {-1}), {}},
      {post("HardSwish", {-1}), {}},
      {post("HardSigmoid", {-1}, {{"alpha", 0.3}}), {}},
      {post("Elu", {-1}), {}},
      {post("Swish", {-1}), {}},
      {post("Gelu", {-1}), {}},
      {post("Gelu", {-1}, {{"approximate", std::string("tanh")}}), {}},
      {post("Clip", {-1, 0, 1}), {low, high}},
      {post("Clip", {-1, 0}), {low}}};
  for (const auto& [op, extra] : posts) {
    NodeCase c = conv({1, 16, 5, 6}, {20, 16, 3, 3}, {});
    c.post = {op};
    c.extra = extra;
    const Names names = check(c);
    EXPECT_TRUE(has(names, "conv_nhwc") && has(names, "winograd_f2_3x3"))
        << op.op->name() << ": " << refusal(c, "conv_nhwc");
  }
}

TEST(ConvTactics, SumsBeforeAndAfterActivation) {
  for (bool after : {false, true}) {
    NodeCase c = conv({2, 16, 5, 6}, {20, 16, 3, 3}, {});
    const ir::PostOp sum = post("Add", {-1, 0}), relu = post("Relu", {-1});
    c.post = after ? std::vector{relu, sum} : std::vector{sum, relu};
    c.extra = {{.dims = {2, 20, 3, 4}, .layout = kLast, .slack = 4}};
    const Names names = check(c);
    EXPECT_TRUE(has(names, "conv_nhwc") && has(names, "winograd_f4_3x3")) << refusal(c, "conv_nhwc");
    c.extra[0].layout = Layout();
    EXPECT_NE(refusal(c, "conv_nhwc").find("layout"), std::string::npos);
  }
  NodeCase c = conv({2, 8, 5, 6}, {8, 1, 3, 3}, {{"group", int64_t{8}}});
  c.post = {post("Add", {0, -1}), post("Add", {-1, 0}), post("Clip", {-1})};
  c.extra = {{.dims = {1, 8, 1, 1}, .constant = true}, {.dims = {2, 8, 3, 4}, .layout = kLast}};
  c.post[1].operands = {-1, 1};
  EXPECT_TRUE(has(check(c), "conv_depthwise")) << refusal(c, "conv_depthwise");
}

TEST(ConvTactics, OtherSizesThanTheOptimum) {
  NodeCase c = conv({4, 16, 8, 8}, {24, 16, 3, 3}, {{"auto_pad", std::string("SAME_UPPER")}});
  for (const Dims& dims : {Dims{1, 16, 5, 9}, Dims{6, 16, 12, 3}, Dims{0, 16, 8, 8}}) {
    c.run_dims = {dims, {24, 16, 3, 3}, {24}};
    EXPECT_TRUE(has(check(c), "winograd_f4_3x3"));
  }
}

TEST(ConvTactics, NanAndInfinityStayInTheirWindows) {
  NodeCase c = conv({1, 4, 6, 6}, {4, 4, 1, 1}, {});
  Tensor x = Tensor::allocate(DType::kF32, {1, 4, 6, 6});
  x.as_mutable<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  x.as_mutable<float>()[40] = std::numeric_limits<float>::infinity();
  c.inputs[0].value = x;
  c.post = {post("Relu", {-1})};
  check(c);
}

TEST(ConvTactics, RefusalsSayWhy) {
  const NodeCase strided = conv({1, 16, 8, 8}, {16, 16, 3, 3}, {{"strides", Ints{2, 2}}});
  EXPECT_EQ(refusal(strided, "winograd_f4_3x3"), "the stride is 2x2, needs 1x1");
  EXPECT_EQ(refusal(conv({1, 16, 8, 8}, {16, 16, 5, 3}, {}), "winograd_f2_3x3"), "the kernel is 5x3, needs 3x3");
  NodeCase run_time = conv({1, 16, 8, 8}, {16, 16, 3, 3}, {});
  run_time.inputs[1].constant = false;
  EXPECT_EQ(refusal(run_time, "winograd_f4_3x3"), "the weights are not constant");
  EXPECT_EQ(refusal(run_time, "conv_nhwc"), "");
  NodeCase twice = conv({1, 16, 8, 8}, {16, 16, 3, 3}, {});
  twice.post = {post("Relu", {-1}), post("Tanh", {-1})};
  EXPECT_EQ(refusal(twice, "conv_nhwc"), "post-operation Tanh is a second activation");
  EXPECT_EQ(refusal(twice, "gemm_packed"), "is for MatMul and Gemm");
}

NodeCase expansion(Dims x, int64_t channels, int64_t kernel, Attributes attributes, bool bias = true) {
  NodeCase c;
  c.op = "ExpandDepthwise";
  c.attributes = std::move(attributes);
  const Operand absent{.dims = {}, .present = false}, constant{.dims = {channels}, .constant = true};
  c.inputs = {{.dims = x, .layout = kLast},
              {.dims = {channels, x[1], 1, 1}, .constant = true},
              bias ? constant : absent,
              {.dims = {channels, 1, kernel, kernel}, .constant = true}};
  if (bias) c.inputs.push_back(constant);
  c.output_layout = kLast;
  return c;
}

TEST(ConvTactics, ExpansionAndDepthwise) {
  for (int64_t stride : {1, 2, 3})
    for (int64_t kernel : {1, 3, 5}) {
      const Ints pads(4, kernel / 2), strides{stride, stride};
      for (int64_t batch : {1, 3})
        EXPECT_TRUE(has(check(expansion({batch, 7, 13, 11}, 37, kernel, {{"pads", pads}, {"strides", strides}})),
                        "expand_depthwise"));
    }
  check(expansion({1, 16, 40, 40}, 96, 3, {{"activation", std::string("Clip")}, {"low", 0.0}, {"high", 0.4}}, false));
  check(expansion({2, 5, 9, 8}, 20, 3, {{"pads", Ints{2, 0, 3, 1}}, {"dilations", Ints{2, 1}}}));
  for (const char* padding : {"SAME_UPPER", "SAME_LOWER", "VALID"})
    check(expansion({1, 9, 10, 11}, 18, 4, {{"strides", Ints{2, 3}}, {"auto_pad", std::string(padding)}}));
  for (const char* activation : {"Relu", "HardSwish", "Swish", "Sigmoid", "Tanh"})
    check(expansion({1, 4, 6, 6}, 16, 3, {{"activation", std::string(activation)}, {"pads", Ints{1, 1, 1, 1}}}));
}

TEST(ConvTactics, ExpansionAndDepthwiseWithMore) {
  NodeCase c = expansion({2, 8, 12, 9}, 24, 3, {{"pads", Ints{1, 1, 1, 1}}, {"activation", std::string("Relu")}});
  c.post = {post("HardSwish", {-1})};
  EXPECT_TRUE(has(check(c), "expand_depthwise"));
  c.post = {post("Add", {-1, 0}), post("Relu", {-1})};
  c.extra = {{.dims = {2, 24, 12, 9}, .layout = kLast}};
  EXPECT_TRUE(has(check(c), "expand_depthwise"));
  c = expansion({1, 8, 12, 9}, 24, 3, {{"pads", Ints{1, 1, 1, 1}}});
  c.inputs[0].slack = 8;
  c.output_slack = 3;
  EXPECT_TRUE(has(check(c), "expand_depthwise"));
  c = expansion({1, 8, 3, 3}, 8, 3, {});
  c.inputs[1].constant = false;
  EXPECT_EQ(refusal(c, "expand_depthwise"), "the weights are not constant");
  for (const Dims& empty : {Dims{0, 4, 8, 8}, Dims{2, 4, 8, 0}})
    check(expansion(empty, 8, 3, {{"pads", Ints{1, 1, 1, 1}}}));
}

}  // namespace
}  // namespace kiln::tactic_testing
