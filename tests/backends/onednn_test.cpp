// Tactics of oneDNN against the reference, and steps that its device must refuse.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "backends/cpu/target/target.h"
#include "backends/harness.h"
#include "backends/tactic_testing.h"

namespace kiln::tactic_testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

const Tactic* find(const std::string& name) {
  for (const Tactic* t : cpu::target().tactics().all())
    if (t->name == name) return t;
  return nullptr;
}

// Skipped in a build without oneDNN.
class Onednn : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!find("onednn_conv")) GTEST_SKIP() << "built without oneDNN";
  }
};

void expect_accepted(const NodeCase& c, const std::string& tactic) {
  EXPECT_TRUE(check(c).count(tactic)) << refusal(c, tactic);
}

Layout layout_of(bool last, size_t rank) { return last ? Layout::channels_last(static_cast<int>(rank)) : Layout(); }

NodeCase product_case(const char* op, Dims x, Dims w, int64_t outputs, Attributes attributes, bool last,
                      bool bias = true) {
  NodeCase c;
  c.op = op;
  c.attributes = std::move(attributes);
  c.output_layout = layout_of(last, x.size());
  c.inputs = {{.dims = std::move(x), .layout = c.output_layout}, {.dims = std::move(w), .constant = true}};
  if (bias) c.inputs.push_back({.dims = {outputs}, .constant = true});
  c.tolerances = {{"winograd_f4_3x3", 2e-4}, {"winograd_f2_3x3", 5e-5}};
  return c;
}
NodeCase conv_case(Dims x, Dims w, Attributes attributes, bool last = true, bool bias = true) {
  const int64_t outputs = w[0];
  return product_case("Conv", std::move(x), std::move(w), outputs, std::move(attributes), last, bias);
}
NodeCase deconv(Dims x, Dims w, Attributes attributes, bool last = true, bool bias = true) {
  const int64_t outputs = w[1] * attributes.integer("group", 1);
  return product_case("ConvTranspose", std::move(x), std::move(w), outputs, std::move(attributes), last, bias);
}
NodeCase pool_case(const char* op, Dims x, Attributes attributes, bool last = true) {
  NodeCase c;
  c.op = op;
  c.attributes = std::move(attributes);
  c.output_layout = layout_of(last, x.size());
  c.inputs = {{.dims = std::move(x), .layout = c.output_layout}};
  return c;
}
NodeCase matmul_case(Dims a, Dims b, bool constant) {
  NodeCase c;
  c.op = "MatMul";
  c.inputs = {{.dims = std::move(a)}, {.dims = std::move(b), .constant = constant}};
  return c;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int64_t operator()(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(engine_() % static_cast<unsigned>(most - least + 1));
  }
  Ints list(size_t n, int64_t least, int64_t most) {
    Ints values;
    for (size_t i = 0; i < n; ++i) values.push_back((*this)(least, most));
    return values;
  }

 private:
  std::minstd_rand engine_;
};

TEST_F(Onednn, ConvolutionsOfAllForms) {
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    const auto n = static_cast<size_t>(1 + i % 3);
    const int64_t groups = i % 4 == 3 ? random(2, 5) : 1, in = groups * random(1, 19), out = groups * random(1, 21);
    Dims x{random(1, 3), in}, w{out, in / groups};
    const Ints kernel = random.list(n, 1, 4), pads = random.list(2 * n, 0, 2);
    const Ints dilations = i % 5 == 4 ? random.list(n, 1, 2) : Ints(n, 1);
    for (size_t d = 0; d < n; ++d) x.push_back(random(8, 11));
    w.insert(w.end(), kernel.begin(), kernel.end());
    expect_accepted(
        conv_case(x, w,
                  {{"group", groups}, {"pads", pads}, {"strides", random.list(n, 1, 3)}, {"dilations", dilations}},
                  i % 2 == 0, i % 7 != 0),
        "onednn_conv");
  }
}

TEST_F(Onednn, ConvolutionsOfEachChannel) {
  for (bool last : {true, false})
    for (int64_t channels : {8, 21}) {
      expect_accepted(conv_case({2, channels, 9, 7}, {channels, 1, 3, 5},
                                {{"group", channels}, {"pads", Ints{1, 2, 1, 2}}, {"strides", Ints{2, 1}}}, last),
                      "onednn_conv");
      expect_accepted(conv_case({1, channels, 12}, {channels, 1, 4}, {{"group", channels}}, last), "onednn_conv");
      expect_accepted(conv_case({1, channels, 4, 5, 6}, {channels, 1, 3, 3, 3}, {{"group", channels}}, last),
                      "onednn_conv");
    }
}

TEST_F(Onednn, PaddingThatFollowsFromSizes) {
  for (const char* padding : {"SAME_UPPER", "SAME_LOWER", "VALID"})
    for (bool last : {true, false}) {
      const Attributes a{{"strides", Ints{2, 3}}, {"auto_pad", std::string(padding)}};
      expect_accepted(conv_case({1, 9, 10, 11}, {6, 9, 4, 3}, a, last), "onednn_conv");
      expect_accepted(deconv({1, 9, 5, 6}, {9, 6, 4, 4}, a, last), "onednn_deconv");
    }
}

TEST_F(Onednn, TransposedConvolutionsOfAllForms) {
  Random random(2);
  int accepted = 0;
  for (int i = 0; i < 45; ++i) {
    const auto n = static_cast<size_t>(1 + i % 3);
    const int64_t groups = i % 4 == 3 ? random(2, 4) : 1, in = groups * random(1, 17), out = random(1, 17);
    Dims x{random(1, 3), in}, w{in, out};
    const Ints kernel = random.list(n, 2, 4), strides = random.list(n, 1, 3);
    const Ints dilations = i % 5 == 4 ? Ints(n, 2) : Ints(n, 1);
    Ints extra;
    for (size_t d = 0; d < n; ++d) extra.push_back(i % 3 == 0 ? random(0, strides[d] - 1) : 0);
    for (size_t d = 0; d < n; ++d) x.push_back(random(3, 6));
    w.insert(w.end(), kernel.begin(), kernel.end());
    const NodeCase c = deconv(x, w,
                              {{"group", groups},
                               {"pads", random.list(2 * n, 0, 1)},
                               {"strides", strides},
                               {"dilations", dilations},
                               {"output_padding", extra}},
                              i % 2 == 0, i % 7 != 0);
    const bool taken = check(c).count("onednn_deconv") > 0;
    if (!taken) {
      const std::string reason = refusal(c, "onednn_deconv");
      EXPECT_NE(reason.find("reference"), std::string::npos) << reason;
    }
    accepted += taken;
  }
  EXPECT_GE(accepted, 30);
  expect_accepted(deconv({1, 4, 5, 5}, {4, 3, 3, 3}, {{"strides", Ints{2, 2}}, {"output_shape", Ints{10, 9}}}),
                  "onednn_deconv");
}

std::vector<std::pair<ir::PostOp, std::vector<Operand>>> activations() {
  const Operand low{.dims = {}, .constant = true, .value = Tensor::scalar(-0.25f)},
      high{.dims = {}, .constant = true, .value = Tensor::scalar(0.5f)};
  return {{post("Relu", {-1}), {}},
          {post("LeakyRelu", {-1}, {{"alpha", 0.3}}), {}},
          {post("LeakyRelu", {-1}, {{"alpha", 0.0}}), {}},
          {post("Sigmoid", {-1}), {}},
          {post("Tanh", {-1}), {}},
          {post("HardSwish", {-1}), {}},
          {post("HardSigmoid", {-1}, {{"alpha", 0.3}}), {}},
          {post("Elu", {-1}, {{"alpha", 0.7}}), {}},
          {post("Swish", {-1}), {}},
          {post("Gelu", {-1}), {}},
          {post("Gelu", {-1}, {{"approximate", std::string("tanh")}}), {}},
          {post("Clip", {-1, 0, 1}), {low, high}},
          {post("Clip", {-1, 0}), {low}}};
}

// The case with this activation, and a sum before it (1), after it (2), or none (0).
NodeCase with_epilogue(NodeCase c, ir::PostOp activation, const std::vector<Operand>& extra, int sum,
                       const Operand& residual) {
  c.extra = extra;
  if (sum == 1) {  // operands stand in the order of their use
    c.extra.insert(c.extra.begin(), residual);
    for (int& operand : activation.operands) operand += operand >= 0;
    c.post = {post("Add", {-1, 0}), activation};
  } else {
    c.post = {activation};
  }
  if (sum == 2) {
    c.extra.push_back(residual);
    c.post.push_back(post("Add", {-1, static_cast<int>(extra.size())}));
  }
  return c;
}

TEST_F(Onednn, EveryPostOperation) {
  for (const auto& [activation, extra] : activations())
    for (int sum : {0, 1, 2})
      for (bool last : {true, false}) {
        const NodeCase image = with_epilogue(conv_case({2, 5, 5, 6}, {20, 5, 3, 3}, {}, last), activation, extra, sum,
                                             {.dims = {2, 20, 3, 4}, .layout = layout_of(last, 4)});
        expect_accepted(image, "onednn_conv");
        const NodeCase turned = with_epilogue(deconv({1, 16, 3, 4}, {16, 8, 2, 2}, {}, last), activation, extra, sum,
                                              {.dims = {1, 8, 4, 5}, .layout = layout_of(last, 4)});
        expect_accepted(turned, "onednn_deconv");
        NodeCase matrix =
            with_epilogue(matmul_case({2, 9, 7}, {7, 33}, last), activation, extra, sum, {.dims = {2, 9, 33}});
        expect_accepted(matrix, "onednn_matmul");
      }
}

TEST_F(Onednn, ActivationsOfWhatIsNoNumber) {
  Tensor x = Tensor::allocate(DType::kF32, {1, 1, 4, 16});
  const float values[] = {kNan, kInfinity, -kInfinity, -1e30f, 1e30f, -100, -0.0f, 1e-30f};
  for (size_t i = 0; i < x.as<float>().size(); ++i) x.as_mutable<float>()[i] = values[i % std::size(values)];
  for (const auto& [activation, extra] : activations()) {
    NodeCase c = conv_case({1, 1, 4, 16}, {1, 1, 1, 1}, {}, true, false);
    c.inputs[0].value = x;
    c.inputs[1].value = Tensor::of<float>({1, 1, 1, 1}, {1.0f});
    c.post = {activation};
    c.extra = extra;
    expect_accepted(c, "onednn_conv");
    NodeCase m = matmul_case({64, 1}, {1, 16}, true);
    m.inputs[0].value = Tensor::borrow(DType::kF32, {64, 1}, x.data());
    Tensor ones = Tensor::allocate(DType::kF32, {1, 16});
    std::fill_n(ones.as_mutable<float>().data(), 16, 1.0f);
    m.inputs[1].value = ones;
    m.post = {activation};
    m.extra = extra;
    expect_accepted(m, "onednn_matmul");
  }
}

TEST_F(Onednn, NoNumberStaysInItsWindows) {
  Tensor x = Tensor::allocate(DType::kF32, {1, 5, 6, 6});
  std::fill_n(x.as_mutable<float>().data(), x.size(), 0.5f);
  x.as_mutable<float>()[3] = kNan;
  x.as_mutable<float>()[40] = kInfinity;
  x.as_mutable<float>()[100] = -kInfinity;
  for (bool last : {true, false}) {
    NodeCase c = conv_case({1, 5, 6, 6}, {7, 5, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, last);
    c.inputs[0].value = x;
    expect_accepted(c, "onednn_conv");
    NodeCase p =
        pool_case("AveragePool", {1, 5, 6, 6}, {{"kernel_shape", Ints{2, 3}}, {"pads", Ints{1, 1, 0, 0}}}, last);
    p.inputs[0].value = x;
    expect_accepted(p, "onednn_pool");
    p.op = "MaxPool";
    EXPECT_EQ(refusal(p, "onednn_pool"), "is for AveragePool and GlobalAveragePool");
  }
}

TEST_F(Onednn, SlicesAndOtherSizesThanTheOptimum) {
  for (bool last : {true, false}) {
    NodeCase c = conv_case({2, 16, 6, 7}, {24, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, last);
    c.post = {post("Add", {-1, 0}), post("Relu", {-1})};
    c.extra = {{.dims = {2, 24, 6, 7}, .layout = layout_of(last, 4), .slack = 4}};
    c.inputs[0].slack = 5;
    c.output_slack = 9;
    expect_accepted(c, "onednn_conv");
    for (const Dims& x : {Dims{1, 16, 5, 9}, Dims{6, 16, 12, 3}, Dims{0, 16, 6, 7}, Dims{1, 16, 90, 70}}) {
      Dims y = x;
      y[1] = 24;
      c.run_dims = {x, {24, 16, 3, 3}, {24}, y};
      expect_accepted(c, "onednn_conv");
    }
    NodeCase t = deconv({2, 6, 4, 5, 3}, {6, 8, 2, 2, 2}, {{"strides", Ints{2, 2, 2}}}, last);
    for (const Dims& x : {Dims{5, 6, 1, 2, 9}, Dims{0, 6, 4, 5, 3}}) {
      t.run_dims = {x, {6, 8, 2, 2, 2}, {8}};
      expect_accepted(t, "onednn_deconv");
    }
    NodeCase p =
        pool_case("AveragePool", {2, 8, 9, 7}, {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}}, last);
    p.inputs[0].slack = 3;
    p.output_slack = 8;
    for (const Dims& x : {Dims{3, 8, 4, 11}, Dims{0, 8, 4, 4}}) {
      p.run_dims = {x};
      expect_accepted(p, "onednn_pool");
    }
  }
}

TEST_F(Onednn, MatrixProducts) {
  for (bool constant : {true, false}) {
    for (int64_t m : {1, 3, 37})
      for (int64_t n : {1, 10, 65}) expect_accepted(matmul_case({m, 29}, {29, n}, constant), "onednn_matmul");
    for (const auto& [a, b] : std::vector<std::pair<Dims, Dims>>{{{3, 4, 5}, {3, 5, 6}},
                                                                 {{2, 3, 4, 5}, {3, 5, 6}},
                                                                 {{2, 1, 4, 5}, {1, 3, 5, 6}},
                                                                 {{4, 5}, {3, 5, 6}},
                                                                 {{2, 3, 4, 5}, {5, 6}},
                                                                 {{2, 3, 4, 5}, {1, 1, 5, 6}},
                                                                 {{2, 3, 4, 5}, {2, 1, 5, 6}},
                                                                 {{2, 1, 3, 1, 4, 5}, {2, 1, 2, 5, 6}},
                                                                 {{5}, {5}},
                                                                 {{5}, {5, 6}},
                                                                 {{4, 5}, {5}},
                                                                 {{2, 4, 5}, {5}},
                                                                 {{5}, {3, 5, 6}},
                                                                 {{3, 4, 5}, {3, 5, 1}}})
      expect_accepted(matmul_case(a, b, constant), "onednn_matmul");
  }
}

TEST_F(Onednn, GemmForms) {
  for (bool constant : {true, false})
    for (int64_t ta : {0, 1})
      for (int64_t tb : {0, 1})
        for (double alpha : {1.0, 0.5})
          for (const Dims& add : {Dims{11}, Dims{1, 11}, Dims{9, 11}, Dims{1}, Dims{}}) {
            NodeCase c;
            c.op = "Gemm";
            c.attributes = {{"transA", ta}, {"transB", tb}, {"alpha", alpha}};
            c.inputs = {{.dims = ta ? Dims{7, 9} : Dims{9, 7}},
                        {.dims = tb ? Dims{11, 7} : Dims{7, 11}, .constant = constant},
                        {.dims = add, .constant = constant}};
            if (!constant && add.size() < 2 && (alpha != 1 || add != Dims{11}))
              EXPECT_FALSE(check(c).count("onednn_matmul")) << to_string(add);
            else if (constant || alpha == 1 || add == Dims{9, 11}) expect_accepted(c, "onednn_matmul");
          }
  NodeCase c;
  c.op = "Gemm";
  c.attributes = {{"alpha", 0.25}};
  c.inputs = {{.dims = {9, 7}}, {.dims = {7, 11}}};
  c.post = {post("Relu", {-1})};
  expect_accepted(c, "onednn_matmul");
}

TEST_F(Onednn, MatrixProductsOfOtherSizes) {
  NodeCase c = matmul_case({4, 12, 16}, {16, 24}, true);
  for (const Dims& dims : {Dims{1, 1, 16}, Dims{9, 40, 16}, Dims{0, 3, 16}, Dims{2, 700, 16}}) {
    c.run_dims = {dims, {16, 24}};
    expect_accepted(c, "onednn_matmul");
  }
  c = matmul_case({9, 16}, {16, 24}, false);
  c.inputs[0].slack = 3;
  c.inputs[1].slack = 2;
  c.output_slack = 5;
  expect_accepted(c, "onednn_matmul");
  c = matmul_case({2, 9, 16}, {2, 16, 24}, false);
  c.inputs[0].slack = 3;
  c.inputs[1].slack = 2;
  expect_accepted(c, "onednn_matmul");
}

TEST_F(Onednn, Poolings) {
  const char* op = "AveragePool";
  for (bool last : {true, false}) {
    expect_accepted(
        pool_case(op, {2, 21, 9, 7},
                  {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 0, 1, 1}}}, last),
        "onednn_pool");
    expect_accepted(pool_case(op, {1, 5, 8, 9},
                              {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}}, last),
                    "onednn_pool");
    expect_accepted(
        pool_case(op, {1, 17, 10, 11},
                  {{"kernel_shape", Ints{3, 2}}, {"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2, 1}}},
                  last),
        "onednn_pool");
    expect_accepted(pool_case(op, {3, 4, 12}, {{"kernel_shape", Ints{4}}, {"pads", Ints{1, 2}}}, last), "onednn_pool");
    expect_accepted(
        pool_case(op, {2, 19, 6, 7, 5}, {{"kernel_shape", Ints{3, 2, 3}}, {"pads", Ints{1, 0, 1, 1, 1, 0}}}, last),
        "onednn_pool");
  }
  expect_accepted(
      pool_case("AveragePool", {2, 6, 7, 9},
                {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 0, 1, 1}}, {"count_include_pad", int64_t{1}}}),
      "onednn_pool");
  for (const Dims& x : {Dims{2, 19, 7}, Dims{2, 19, 7, 5}, Dims{1, 3, 4, 5, 6}})
    for (bool last : {true, false}) expect_accepted(pool_case("GlobalAveragePool", x, {}, last), "onednn_pool");
}

TEST_F(Onednn, RefusalsSayWhy) {
  NodeCase c = conv_case({1, 16, 8, 8}, {16, 16, 3, 3}, {});
  EXPECT_EQ(refusal(c, "onednn_deconv"), "is for ConvTranspose");
  EXPECT_EQ(refusal(c, "onednn_matmul"), "is for MatMul and Gemm");
  c.inputs[1].constant = false;
  EXPECT_EQ(refusal(c, "onednn_conv"), "the weights are not constant float32");
  c = conv_case({1, 16, 8, 8}, {16, 16, 3, 3}, {});
  c.post = {post("Relu", {-1}), post("Tanh", {-1})};
  EXPECT_EQ(refusal(c, "onednn_conv"), "post-operation Tanh is a second activation");
  c = conv_case({0, 16, 8, 8}, {16, 16, 3, 3}, {});
  EXPECT_EQ(refusal(c, "onednn_conv"), "the result [0,16,6,6] is empty");
  EXPECT_EQ(refusal(conv_case({1, 2, 3, 3, 3, 3}, {2, 2, 1, 1, 1, 1}, {}, false), "onednn_conv"),
            "x has 6 dimensions, needs 3 to 5");
  EXPECT_EQ(refusal(matmul_case({4, 0}, {0, 6}, true), "onednn_matmul"),
            "there are 0 to 0 products in a sum, needs a fixed number above 0");
  const NodeCase p = pool_case("AveragePool", {2, 6, 7, 9},
                               {{"kernel_shape", Ints{3, 3}},
                                {"pads", Ints{1, 0, 1, 1}},
                                {"count_include_pad", int64_t{1}},
                                {"ceil_mode", int64_t{1}}});
  EXPECT_NE(refusal(p, "onednn_pool").find("ceil_mode is 1"), std::string::npos);
}

// A convolution as a step, whose parts a damaged file may change.
struct Step {
  Attributes parameters{{"copied", int64_t{0}},        {"kernel", Ints{3, 3}},     {"strides", Ints{1, 1}},
                        {"dilations", Ints{1, 1}},     {"pads_begin", Ints{1, 1}}, {"output_padding", Ints{0, 0}},
                        {"padding", int64_t{0}},       {"groups", int64_t{1}},     {"weights", std::string("abcd")},
                        {"activation", int64_t{0}},    {"activation_alpha", 0.0},  {"activation_beta", 0.0},
                        {"residual_after", int64_t{0}}};
  Tensor x = Tensor::allocate(DType::kF32, {1, 16, 5, 6}), y = Tensor::allocate(DType::kF32, {1, 16, 5, 6});
  Tensor weights = Tensor::allocate(DType::kU8, {16 * 16 * 9 * 4});

  static TensorView view(Tensor& t, std::vector<Dims>& strides) {
    strides.push_back(row_major_strides(t.dims()));
    return {t.mutable_data(), t.dims().data(), strides.back().data(), static_cast<int>(t.rank()), t.dtype(),
            nullptr,          nullptr};
  }
  Status prepare() {
    std::vector<Dims> strides;
    strides.reserve(3);
    const auto kernel = open_device("onednn").create_kernel("conv", parameters);
    const TensorView inputs[] = {view(x, strides), view(weights, strides), {}, {}}, outputs[] = {view(y, strides)};
    return kernel->prepare({inputs, outputs, nullptr, 0});
  }
};

TEST_F(Onednn, DamagedWeights) {
  EXPECT_TRUE(Step().prepare().ok());
  for (int64_t bytes : {0, 4, 16 * 16 * 9 * 4 - 4, 16 * 16 * 9 * 4 + 4}) {
    Step s;
    s.weights = Tensor::allocate(DType::kU8, {bytes});
    EXPECT_EQ(s.prepare().code, Code::kMalformedPlan) << bytes;
  }
  for (const char* layout : {"", "abc", "ABcd16b16", "any", "undef", "Acdb9999z", "ABcd4b16a4b"}) {
    Step s;
    s.parameters.set("weights", std::string(layout));
    const Status status = s.prepare();
    if (std::string(layout) == "ABcd4b16a4b") continue;  // a layout of the same size: it is rearranged
    EXPECT_EQ(status.code, Code::kMalformedPlan) << layout;
    EXPECT_STREQ(status.detail, "packed weights of a step have another size or layout than its parameters say");
  }
  Step typed;
  typed.weights = Tensor::allocate(DType::kF32, {16 * 16 * 9});
  EXPECT_EQ(typed.prepare().code, Code::kMalformedPlan);
}

TEST_F(Onednn, DamagedParameters) {
  const std::vector<std::pair<std::string, Attribute>> damages = {
      {"kernel", Ints{3}},          {"kernel", Ints{0, 3}},        {"kernel", Ints{1 << 20, 3}},
      {"strides", Ints{0, 1}},      {"dilations", Ints{1, -1}},    {"pads_begin", Ints{-1, 0}},
      {"padding", int64_t{3}},      {"groups", int64_t{0}},        {"activation", int64_t{99}},
      {"kernel", Ints{1, 1, 1, 1}}, {"output_padding", Ints{0}},   {"copied", int64_t{2}},
      {"kernel", std::string("3")}, {"residual_after", int64_t{9}}};
  for (const auto& [name, value] : damages) {
    Step s;
    s.parameters.set(name, value);
    EXPECT_THROW(static_cast<void>(s.prepare()), Error) << name;
  }
  const std::vector<std::pair<std::string, Attribute>> misfits = {{"groups", int64_t{3}},
                                                                  {"groups", int64_t{1} << 30},
                                                                  {"kernel", Ints{1 << 16, 1 << 16}},
                                                                  {"strides", Ints{1 << 30, 1}},
                                                                  {"pads_begin", Ints{1 << 30, 1 << 30}}};
  for (const auto& [name, value] : misfits) {
    Step s;
    s.parameters.set(name, value);
    EXPECT_FALSE(s.prepare().ok()) << name;
  }
  EXPECT_EQ(open_device("onednn").create_kernel("reorder", {}), nullptr);
}

}  // namespace
}  // namespace kiln::tactic_testing
