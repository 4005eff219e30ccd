// Products and convolutions of bytes with what follows them: bit for bit what the reference gives.
#include <gtest/gtest.h>

#include <random>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr double kExact = 1e-30;
constexpr DType kBytes[] = {DType::kU8, DType::kI8};

Tensor any_bytes(DType type, const Dims& dims, unsigned seed) {
  std::minstd_rand random(seed + 1);
  Tensor t = Tensor::allocate(type, dims);
  auto* to = static_cast<uint8_t*>(t.mutable_data());
  for (int64_t i = 0; i < t.size(); ++i) to[i] = static_cast<uint8_t>(random() >> 7);
  return t;
}
Tensor numbers(const Dims& dims, double low, double high, unsigned seed) {
  Tensor t = random_tensor(DType::kF32, dims, seed);
  for (float& v : t.as_mutable<float>()) v = static_cast<float>(low + (static_cast<double>(v) + 1) / 2 * (high - low));
  return t;
}
Tensor whole_numbers(const Dims& dims, unsigned seed) {
  Tensor t = Tensor::allocate(DType::kI32, dims);
  std::minstd_rand random(seed + 1);
  for (int32_t& v : t.as_mutable<int32_t>()) v = static_cast<int32_t>(random() % 20001) - 10000;
  return t;
}

Operand valued(Tensor t, bool is_constant, Layout layout = {}) {
  Operand o{.dims = t.dims(), .type = t.dtype(), .constant = is_constant, .layout = std::move(layout)};
  o.value = std::move(t);
  return o;
}
Operand known(Tensor t) { return valued(std::move(t), true); }
Operand one(float value) { return known(Tensor::scalar(value)); }
Operand byte(DType type, int64_t value) {
  Tensor t = Tensor::allocate(type, {});
  t.set_int(0, value);
  return known(std::move(t));
}

// Adds post-operations to a case.
class Chain {
 public:
  explicit Chain(NodeCase& to) : to_(to) { to_.post.clear(), to_.extra.clear(); }
  Chain& cast() { return add("Cast", {}, {{"to", std::string("float32")}}); }
  Chain& with(const char* op, Operand operand) { return add(op, {std::move(operand)}); }
  Chain& relu() { return add("Relu", {}); }
  Chain& clip(float low, float high) { return add("Clip", {one(low), one(high)}); }
  Chain& quantize(float scale, DType type, int64_t zero) {
    return add("Quantize", {one(scale), byte(type, zero)}, {{"to", std::string(name(type))}});
  }
  Chain& dequantize(float scale, DType type, int64_t zero) { return add("Dequantize", {one(scale), byte(type, zero)}); }
  Chain& add_dequantized(Operand like, float scale, int64_t zero) {
    const DType type = like.type;
    return add("AddDequantized", {std::move(like), one(scale), byte(type, zero)});
  }

 private:
  Chain& add(const char* op, std::vector<Operand> operands, Attributes attributes = {}) {
    std::vector<int> places{-1};
    for (Operand& o : operands) {
      places.push_back(static_cast<int>(to_.extra.size()));
      to_.extra.push_back(std::move(o));
    }
    to_.post.push_back(post(op, std::move(places), std::move(attributes)));
    return *this;
  }
  NodeCase& to_;
};

// The case with each of the things that may follow the sums; `y`: dimensions of the result.
void check_chains(NodeCase c, const Dims& y, const std::string& tactic) {
  const bool images = c.op == "ConvInteger";
  const int64_t columns = images ? y[1] : y.back();
  Dims along{columns};
  if (images) along.resize(y.size() - 1, 1);
  const Layout layout = images ? Layout::channels_last(static_cast<int>(y.size())) : Layout();
  const auto like = [&](DType type) { return valued(any_bytes(type, y, 5), false, layout); };
  const auto scale = [&] { return known(numbers(along, 1e-4, 4e-3, 6)); };
  const auto bias = [&] { return known(whole_numbers(along, 7)); };
  const auto summand = [&] { return known(numbers(along, -9, 9, 8)); };
  c.tolerance = kExact;
  const auto expect = [&] { EXPECT_TRUE(check(c).count(tactic)) << refusal(c, tactic); };
  Chain none(c);
  expect();
  Chain(c).with("Add", bias());
  expect();
  Chain(c).cast().with("Mul", scale()).with("Add", summand());
  expect();
  Chain(c)
      .cast()
      .with("Mul", valued(numbers({}, 1e-3, 2e-3, 3), false))
      .with("Add", valued(random_tensor(DType::kF32, y, 9), false, layout));
  expect();
  Chain(c).with("Add", bias()).cast().with("Mul", scale()).relu().quantize(1, DType::kU8, 0);
  expect();
  Chain(c).cast().with("Mul", scale()).quantize(0.73f, DType::kI8, -128);
  expect();
  Chain(c).cast().with("Mul", one(0.01f)).clip(-0.5f, 6.3f).quantize(0.05f, DType::kU8, 255);
  expect();
  Chain(c)
      .with("Add", bias())
      .cast()
      .with("Mul", scale())
      .add_dequantized(like(DType::kI8), 0.37f, 5)
      .relu()
      .quantize(1, DType::kI8, 3);
  expect();
  Chain(c)
      .cast()
      .with("Mul", scale())
      .quantize(1, DType::kU8, 100)
      .dequantize(0.21f, DType::kU8, 100)
      .add_dequantized(like(DType::kU8), 0.4f, 5)
      .quantize(0.4f, DType::kU8, 7)
      .dequantize(0.4f, DType::kU8, 0)
      .relu()
      .quantize(2.5f, DType::kI8, -9);
  expect();
}

NodeCase byte_conv_case(DType type, Dims x, Dims w, Attributes attributes, int64_t zero) {
  const Layout last = Layout::channels_last(static_cast<int>(x.size()));
  return {.op = "ConvInteger",
          .attributes = std::move(attributes),
          .inputs = {valued(any_bytes(type, x, 1), false, last), known(any_bytes(DType::kI8, w, 2)), byte(type, zero)},
          .output_layout = last};
}

void check_convolutions(const Dims& x, const Dims& w, const Attributes& attributes, const Dims& y,
                        const std::string& tactic) {
  for (DType type : kBytes)
    check_chains(byte_conv_case(type, x, w, attributes, type == DType::kU8 ? 131 : -3), y, tactic);
}

TEST(CudaInt8, Products) {
  for (DType type : kBytes)
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                     {7, 13, 21},
                                                                     {1, 64, 130},
                                                                     {64, 33, 64},
                                                                     {50, 100, 79},
                                                                     {3, 4099, 17},
                                                                     {300, 256, 128},
                                                                     {0, 4, 5}}) {
      const NodeCase c{.op = "MatMulInteger",
                       .inputs = {valued(any_bytes(type, {m, k}, 1), false), known(any_bytes(DType::kI8, {k, n}, 2)),
                                  byte(type, type == DType::kU8 ? 255 : -128)}};
      check_chains(c, {m, n}, "conv_int8");
    }
}

TEST(CudaInt8, Convolutions) {
  const Attributes padded{{"pads", Ints{1, 1, 1, 1}}};
  check_convolutions({2, 16, 5, 7}, {24, 16, 1, 1}, {}, {2, 24, 5, 7}, "conv_int8");
  check_convolutions({1, 6, 9, 7}, {70, 6, 1, 1}, {{"strides", Ints{2, 2}}}, {1, 70, 5, 4}, "conv_int8");
  check_convolutions({1, 8, 6, 9}, {17, 8, 3, 3}, padded, {1, 17, 6, 9}, "conv_int8");
  check_convolutions({2, 64, 14, 14}, {96, 64, 3, 3}, padded, {2, 96, 14, 14}, "conv_int8");
  check_convolutions({2, 3, 15, 13}, {32, 3, 7, 7}, {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}},
                     {2, 32, 8, 7}, "conv_int8");
  check_convolutions({1, 5, 8, 8}, {4, 5, 3, 3}, {{"dilations", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}},
                     {1, 4, 8, 8}, "conv_int8");
  check_convolutions({1, 64, 6, 6}, {48, 32, 3, 3}, {{"group", int64_t{2}}, {"pads", Ints{0, 1, 2, 1}}}, {1, 48, 6, 6},
                     "conv_int8");
}

TEST(CudaInt8, ConvolutionsOfLines) {
  check_convolutions({2, 16, 9}, {24, 16, 1}, {}, {2, 24, 9}, "conv_int8");
  check_convolutions({1, 5, 17}, {70, 5, 3}, {{"pads", Ints{2, 1}}, {"strides", Ints{2}}}, {1, 70, 9}, "conv_int8");
  check_convolutions({2, 64, 11}, {48, 32, 3}, {{"group", int64_t{2}}, {"dilations", Ints{3}}}, {2, 48, 5},
                     "conv_int8");
}

TEST(CudaInt8, RowsOfManyAxes) {
  for (const Dims& a : {Dims{2, 3, 40}, Dims{2, 0, 3, 32}}) {
    NodeCase c{.op = "MatMulInteger",
               .inputs = {valued(any_bytes(DType::kI8, a, 1), false), known(any_bytes(DType::kI8, {a.back(), 24}, 2))}};
    Dims y = a;
    y.back() = 24;
    check_chains(c, y, "conv_int8");
  }
}

TEST(CudaInt8, ProductsOfTwoRunTimeOperands) {
  for (DType type : kBytes)
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
             {1, 1, 1}, {7, 13, 21}, {5, 64, 130}, {16, 33, 64}, {9, 100, 79}, {128, 64, 128}, {0, 4, 5}, {5, 0, 3}}) {
      NodeCase c{.op = "MatMulInteger",
                 .inputs = {valued(any_bytes(type, {2, 3, m, k}, 1), false),
                            valued(any_bytes(DType::kI8, {2, 3, k, n}, 2), false),
                            byte(type, type == DType::kU8 ? 255 : -128)}};
      check_chains(c, {2, 3, m, n}, "product_int8");
      c.post.clear(), c.extra.clear();
      c.tolerance = kExact;
      c.inputs[1] = valued(any_bytes(DType::kU8, {2, 3, k, n}, 4), false);
      c.inputs.push_back(byte(DType::kU8, 128));
      EXPECT_EQ(check(c), std::set<std::string>{"product_int8"});
    }
  const NodeCase uncentred{
      .op = "MatMulInteger",
      .inputs = {valued(any_bytes(DType::kU8, {3, 4}, 1), false), valued(any_bytes(DType::kU8, {4, 5}, 2), false)}};
  EXPECT_EQ(refusal(uncentred, "product_int8"), "the zero point of b is 0");
}

TEST(CudaInt8, GroupsOfFewChannels) {
  for (int64_t c : {1, 8, 37, 96}) {
    check_convolutions({1, c, 6, 7}, {c, 1, 3, 3}, {{"group", c}, {"pads", Ints{1, 1, 1, 1}}}, {1, c, 6, 7},
                       "conv_int8_any");
    const Attributes strided{
        {"group", c}, {"strides", Ints{2, 2}}, {"pads", Ints{2, 2, 2, 2}}, {"dilations", Ints{1, 2}}};
    check_convolutions({2, c, 9, 9}, {c, 1, 5, 3}, strided, {2, c, 5, 5}, "conv_int8_any");
  }
  const Attributes two{{"group", int64_t{2}}, {"pads", Ints{0, 1, 2, 1}}};
  check_convolutions({1, 12, 6, 6}, {20, 6, 3, 3}, two, {1, 20, 6, 6}, "conv_int8_any");
  check_convolutions({1, 4, 5, 5}, {6, 2, 1, 1}, {{"group", int64_t{2}}}, {1, 6, 5, 5}, "conv_int8_any");
}

TEST(CudaInt8, ScalesOfARun) {
  Tensor odd = numbers({3, 50, 7}, -2, 9, 3);
  odd.set(20, static_cast<double>(kNan));
  for (const Tensor& x : {numbers({2, 3, 700}, -7, 5, 1), numbers({4, 5}, 1, 5, 2), numbers({300, 1000}, -3, -1, 4),
                          Tensor::of<float>({3}, {0, 0, 0}), Tensor::allocate(DType::kF32, {0, 4}), odd}) {
    const NodeCase c{.op = "DynamicQuantizeLinear", .inputs = {valued(x, false)}, .outputs = 3, .tolerance = kExact};
    EXPECT_EQ(check(c), std::set<std::string>{"dynamic_quantize"});
  }
}

TEST(CudaInt8, TablesOfBytes) {
  for (DType type : kBytes)
    for (const Dims& dims : {Dims{2, 3, 70}, Dims{1, 16, 4, 4}, Dims{1}, Dims{0, 3}}) {
      const Layout layout = dims.size() == 4 ? kLast : Layout();
      NodeCase c{.op = "Dequantize",
                 .inputs = {valued(any_bytes(type, dims, 3), false, layout), one(0.05f), byte(type, 9)},
                 .output_layout = layout,
                 .tolerance = kExact};
      Chain(c).relu().quantize(0.07f, DType::kI8, -5);
      EXPECT_TRUE(check(c).count("byte_table")) << to_string(dims);
    }
}

TEST(CudaInt8, MaximaOfWindows) {
  for (DType type : kBytes)
    for (const Attributes& a :
         {Attributes{{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
          Attributes{{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
          Attributes{{"kernel_shape", Ints{2, 4}}, {"dilations", Ints{2, 1}}}})
      for (int64_t channels : {1, 64, 70}) {
        const Tensor x = any_bytes(type, {2, channels, 9, 8}, 3);
        NodeCase c{.op = "MaxPool",
                   .attributes = a,
                   .inputs = {valued(x, false, kLast)},
                   .output_layout = kLast,
                   .tolerance = kExact};
        EXPECT_EQ(check(c), std::set<std::string>{"pool"});
        c.inputs[0].layout = c.output_layout = {};
        check(c);
      }
  const NodeCase outside{.op = "MaxPool",
                         .attributes = {{"kernel_shape", Ints{1}}, {"pads", Ints{1, 0}}},
                         .inputs = {valued(any_bytes(DType::kI8, {1, 3, 4}, 5), false)},
                         .tolerance = kExact};
  EXPECT_EQ(check(outside), std::set<std::string>{"pool"});
  const NodeCase mean{.op = "AveragePool",
                      .attributes = {{"kernel_shape", Ints{2, 2}}},
                      .inputs = {valued(random_tensor(DType::kF32, {1, 3, 4, 4}, 5), false)}};
  EXPECT_TRUE(check(mean).count("pool"));
}

TEST(CudaInt8, RowMajorImagesAreCopied) {
  NodeCase c = byte_conv_case(DType::kU8, {2, 3, 9, 8}, {16, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, 7);
  c.inputs[0].layout = {};
  c.tolerance = kExact;
  EXPECT_TRUE(check(c).count("conv_int8")) << refusal(c, "conv_int8");
}

// Weights that are no signed bytes, and zero points that only running tells.
TEST(CudaInt8, WideWeightsAndZeroPointsOfARun) {
  for (DType type : kBytes) {
    Tensor weights = any_bytes(DType::kU8, {24, 16, 3, 3}, 3), zeros = any_bytes(DType::kU8, {24}, 4);
    weights.set_int(0, 255), zeros.set_int(0, 0);
    NodeCase c = byte_conv_case(type, {1, 16, 7, 5}, {24, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, 0);
    c.inputs = {c.inputs[0], known(weights), valued(any_bytes(type, {}, 11), false), known(zeros)};
    c.tolerance = kExact;
    const auto names = check(c);
    EXPECT_TRUE(names.count("conv_int8") && names.count("conv_int8_any"));
  }
}

// Sums halfway between whole numbers after a division, and limits between two roundings.
TEST(CudaInt8, SumsThatLieHalfway) {
  NodeCase c{.op = "MatMulInteger",
             .inputs = {valued(any_bytes(DType::kU8, {13, 2}, 1), false), known(any_bytes(DType::kI8, {2, 70}, 2))},
             .tolerance = kExact};
  for (const float step : {6.0f, 12.0f, 0.5f, 64.0f, 1e-39f, 3e38f}) {
    Chain(c).cast().quantize(step, DType::kI8, 0);
    EXPECT_TRUE(check(c).count("conv_int8")) << refusal(c, "conv_int8");
    Chain(c)
        .cast()
        .with("Mul", one(0.75f))
        .quantize(step, DType::kI8, 7)
        .dequantize(1.5f, DType::kI8, 0)
        .clip(0, 6)
        .quantize(0.5f, DType::kU8, 3);
    EXPECT_TRUE(check(c).count("conv_int8")) << refusal(c, "conv_int8");
  }
}

TEST(CudaInt8, LimitsOfWhatIsNoNumber) {
  Tensor summand = random_tensor(DType::kF32, {6, 20}, 7);
  summand.set(3, static_cast<double>(kNan));
  summand.set(77, static_cast<double>(kNan));
  summand.set(50, static_cast<double>(-kInf));
  NodeCase c{.op = "MatMulInteger",
             .inputs = {valued(any_bytes(DType::kU8, {6, 9}, 1), false), known(any_bytes(DType::kI8, {9, 20}, 2))},
             .tolerance = kExact};
  Chain(c).cast().with("Add", valued(summand, false)).relu();
  EXPECT_TRUE(check(c).count("conv_int8")) << refusal(c, "conv_int8");
  Chain(c).cast().with("Add", valued(summand, false)).clip(-0.5f, 6.3f);
  EXPECT_TRUE(check(c).count("conv_int8")) << refusal(c, "conv_int8");
  Chain(c).cast().with("Add", valued(summand, false)).quantize(0.1f, DType::kI8, 3);
  EXPECT_TRUE(check(c).count("conv_int8")) << refusal(c, "conv_int8");
}

// Plans come from files that nobody vouches for.
TEST(CudaInt8, ParametersAreChecked) {
  NodeCase c = byte_conv_case(DType::kU8, {1, 64, 6, 6}, {16, 64, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, 3);
  Chain(c).cast().with("Mul", one(0.01f)).quantize(0.3f, DType::kU8, 3);
  const BuiltNode node(c);
  const Tactic* tactic = nullptr;
  for (const Tactic* t : tactic_list().all())
    if (t->name == "conv_int8") tactic = t;
  ASSERT_NE(tactic, nullptr);
  const auto emitted = [&] { return tactic->emit(node.problem(), {{"tile", int64_t{2}}, {"splits", int64_t{1}}}); };
  const auto with = [&](const char* parameter, const Attribute& value, int compute = 90) {
    Emitted e = emitted();
    e.parameters.set(parameter, value);
    return prepare_without_gpu(node, e, compute);
  };
  EXPECT_TRUE(with("splits", int64_t{4}).ok());
  EXPECT_TRUE(with("x_zero", int64_t{-128}).ok());
  EXPECT_TRUE(with("splits", int64_t{1}, 80).ok());
  EXPECT_THROW((void)with("splits", int64_t{2}, 80), Error);
  EXPECT_THROW((void)with("splits", int64_t{5}), Error);
  EXPECT_THROW((void)with("tile", int64_t{5}), Error);
  EXPECT_THROW((void)with("x_zero", int64_t{256}), Error);
  EXPECT_THROW((void)with("parts", int64_t{4}), Error);
  EXPECT_THROW((void)with("steps", Ints(65, 1)), Error);
  EXPECT_EQ(with("parts", int64_t{2}).code, Code::kShapeMismatch);
  EXPECT_EQ(with("groups", int64_t{2}).code, Code::kShapeMismatch);
  Emitted table = emitted();
  table.parameters.set("table", Ints(256, 0));
  EXPECT_THROW((void)prepare_without_gpu(node, table, 90), Error);
  Emitted fewer = emitted();
  fewer.inputs.pop_back();
  EXPECT_EQ(prepare_without_gpu(node, fewer, 90).code, Code::kMalformedPlan);
  Emitted other = emitted();
  other.constants[1] = Tensor::allocate(DType::kI32, {15});
  EXPECT_EQ(prepare_without_gpu(node, other, 90).code, Code::kShapeMismatch);
}

TEST(CudaInt8, RefusalsSayWhy) {
  NodeCase c = byte_conv_case(DType::kU8, {1, 12, 6, 6}, {20, 6, 3, 3}, {{"group", int64_t{2}}}, 0);
  EXPECT_EQ(refusal(c, "conv_int8"), "a group has 6 channels, no whole words of 16 bytes");
  NodeCase rows = byte_conv_case(DType::kU8, {1, 16, 6, 6}, {16, 16, 1, 1}, {}, 0);
  rows.output_layout = {};
  EXPECT_NE(refusal(rows, "conv_int8").find("needs channels last"), std::string::npos);
  NodeCase sigmoid = byte_conv_case(DType::kU8, {1, 16, 6, 6}, {16, 16, 1, 1}, {}, 0);
  Chain(sigmoid).cast();
  sigmoid.post.push_back(post("Sigmoid", {-1}));
  EXPECT_EQ(refusal(sigmoid, "conv_int8"), "post-operation Sigmoid is unknown to the kernels");
}

}  // namespace
}  // namespace kiln::cuda::testing
