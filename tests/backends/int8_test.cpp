// Products and convolutions of bytes with what follows them: bit for bit what the reference gives.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/target/target.h"
#include "backends/harness.h"

namespace kiln::testing {
namespace {

Tensor numbers(std::mt19937& rng, Dims dims, float low, float high) {
  Tensor t = Tensor::allocate(DType::kF32, std::move(dims));
  std::uniform_real_distribution<float> uniform(low, high);
  for (float& v : t.as_mutable<float>()) v = uniform(rng);
  return t;
}

Tensor whole_numbers(std::mt19937& rng, Dims dims) {
  Tensor t = Tensor::allocate(DType::kI32, std::move(dims));
  for (int32_t& v : t.as_mutable<int32_t>()) v = static_cast<int32_t>(rng() % 20001) - 10000;
  return t;
}

Post quantize(Operand scale, DType type, int64_t zero) {
  return {"Quantize", {{"to", std::string(name(type))}}, {-1, 0, 1}, {std::move(scale), byte(type, zero)}};
}

// What may follow the sums; `like` is a result of bytes, in which columns lie along the last axis or, of images, along the second.
std::vector<std::vector<Post>> chains(std::mt19937& rng, int64_t columns, bool images, const Operand& like) {
  Dims dims{columns};
  if (images) dims.resize(static_cast<size_t>(like.tensor.rank() - 1), 1);
  const Post bias{"Add", {}, {-1, 0}, {constant(whole_numbers(rng, dims))}};
  const Post scale{"Mul", {}, {-1, 0}, {constant(numbers(rng, dims, 1e-4f, 4e-3f))}};
  const Post summand{"Add", {}, {0, -1}, {constant(numbers(rng, dims, -9, 9))}};
  const Post sum{"AddDequantized", {}, {-1, 0, 1, 2}, {like, one(0.37f), byte(like.tensor.dtype(), 5)}};
  const Post again{"Dequantize", {}, {-1, 0, 1}, {one(0.21f), byte(DType::kU8, 100)}};
  return {
      {},
      {bias},
      {kCast},
      {kCast, scale, summand},
      {bias, kCast, scale, {"Relu"}, quantize(one(1), DType::kU8, 0)},
      {kCast, scale, quantize(one(0.73f), DType::kI8, -128)},
      {kCast,
       {"Mul", {}, {-1, 0}, {one(0.01f)}},
       {"Clip", {}, {-1, 0, 1}, {one(-0.5f), one(6.3f)}},
       quantize(one(0.05f), DType::kU8, 255)},
      {bias, kCast, scale, summand, sum, {"Relu"}, quantize(one(1), DType::kI8, 3)},
      {kCast,
       scale,
       quantize(one(1), DType::kU8, 100),
       again,
       sum,
       quantize(one(0.4f), DType::kU8, 7),
       {"Dequantize", {}, {-1, 0}, {one(0.4f)}},
       {"Relu"},
       quantize(one(2.5f), DType::kI8, -9)},
  };
}

// Sums that lie halfway between two whole numbers after a division, and limits between two roundings.
TEST(Int8, SumsThatLieHalfway) {
  std::mt19937 rng(10);
  const Operand a(random_bytes(rng, DType::kU8, {13, 2})), b(constant(random_bytes(rng, DType::kI8, {2, 70})));
  const Operand like(random_bytes(rng, DType::kI8, {13, 70}));
  const Post scale{"Mul", {}, {-1, 0}, {one(0.75f)}}, back{"Dequantize", {}, {-1, 0}, {one(1.5f)}};
  const Post limits{"Clip", {}, {-1, 0, 1}, {one(0), one(6)}}, sum{"AddDequantized", {}, {-1, 0, 1}, {like, one(1.5f)}};
  for (const float step : {6.0f, 12.0f, 0.5f, 64.0f, 1e-39f, 3e38f}) {
    expect_in_tiles_too({"MatMulInteger", {a, b}, {}, 1, {kCast, quantize(one(step), DType::kI8, 0)}}, "gemm_int8");
    expect_in_tiles_too(
        {"MatMulInteger",
         {a, b},
         {},
         1,
         {kCast, scale, quantize(one(step), DType::kI8, 7), back, limits, quantize(one(0.5f), DType::kU8, 3)}},
        "gemm_int8");
    expect_in_tiles_too(
        {"MatMulInteger",
         {a, b},
         {},
         1,
         {kCast, scale, quantize(one(step), DType::kI8, 0), back, sum, quantize(one(3), DType::kI8, 0)}},
        "gemm_int8");
  }
}

TEST(Int8, Products) {
  std::mt19937 rng(1);
  for (DType type : {DType::kU8, DType::kI8})
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                     {7, 13, 21},
                                                                     {1, 64, 130},
                                                                     {64, 33, 64},
                                                                     {50, 100, 79},
                                                                     {3, 4099, 17},
                                                                     {2, 65536, 5},
                                                                     {0, 4, 5},
                                                                     {5, 0, 3}}) {
      const Operand a(random_bytes(rng, type, {m, k})), b(constant(random_bytes(rng, DType::kI8, {k, n})));
      const Operand like(random_bytes(rng, DType::kU8, {m, n})), zero = byte(type, type == DType::kU8 ? 255 : -128);
      for (auto& posts : chains(rng, n, false, like))
        expect_in_tiles_too({"MatMulInteger", {a, b, zero}, {}, 1, posts}, "gemm_int8");
      expect_in_tiles_too({"MatMulInteger", {a, b}}, "gemm_int8");
    }
}

// Bytes of the lower or the upper half of what they can be.
Tensor half_bytes(std::mt19937& rng, DType type, Dims dims, bool upper) {
  Tensor t = random_bytes(rng, type, std::move(dims));
  auto* to = static_cast<uint8_t*>(t.mutable_data());
  for (int64_t i = 0; i < t.size(); ++i) to[i] = static_cast<uint8_t>((to[i] & 0x7F) | (upper ? 0x80 : 0));
  return t;
}

// Weights whose products do not fit 16 bits together, among others.
Tensor extreme_bytes(std::mt19937& rng, Dims dims) {
  Tensor t = random_bytes(rng, DType::kI8, std::move(dims));
  for (int64_t i = 0; i < t.size(); ++i)
    if (rng() % 3 != 0) t.set_int(i, rng() % 2 == 0 ? -128 : 127);
  return t;
}

TEST(Int8, RowsInOneHalfOfTheRange) {
  std::mt19937 rng(11);
  const std::vector<Post> posts{kCast, quantize(one(300), DType::kU8, 9)};
  for (const DType type : {DType::kU8, DType::kI8})
    for (const bool upper : {false, true}) {
      for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
               {7, 1, 1}, {8, 4, 17}, {13, 8, 16}, {50, 100, 79}, {201, 12, 64}, {9, 4099, 33}})
        for (const Tensor& weights : {random_bytes(rng, DType::kI8, {k, n}), extreme_bytes(rng, {k, n})}) {
          const Operand b(constant(weights)), zero = byte(type, 3);
          Tensor rows = half_bytes(rng, type, {m, k}, upper);
          expect_in_tiles_too({"MatMulInteger", {rows, b, zero}}, "gemm_int8");
          expect_in_tiles_too({"MatMulInteger", {rows, b, zero}, {}, 1, posts}, "gemm_int8");
          // All bytes the largest, then one row of the other half.
          std::fill_n(static_cast<uint8_t*>(rows.mutable_data()), m * k, upper ? uint8_t{0xFF} : uint8_t{0x7F});
          expect_in_tiles_too({"MatMulInteger", {rows, b, zero}}, "gemm_int8");
          std::fill_n(static_cast<uint8_t*>(rows.mutable_data()) + (m - 1) * k, k,
                      upper ? uint8_t{0x7F} : uint8_t{0xFF});
          expect_in_tiles_too({"MatMulInteger", {rows, b, zero}}, "gemm_int8");
        }
      for (const int64_t zero : {0, 100, -100})
        for (const int64_t kernel : {1, 3}) {
          const int64_t own = type == DType::kU8 ? zero + 100 : zero;
          const Operand x = channels_last(half_bytes(rng, type, {2, 16, 9, 7}, upper));
          Case c{"ConvInteger",
                 {x, constant(extreme_bytes(rng, {24, 16, kernel, kernel})), byte(type, own)},
                 {{"pads", Ints(4, kernel / 2)}}};
          c.output_layouts = {Layout::channels_last(4)};
          expect_in_tiles_too(c, "conv_int8");
        }
    }
}

// Limits keep NaN where the result is real, and it becomes the least byte.
TEST(Int8, LimitsOfWhatIsNoNumber) {
  std::mt19937 rng(7);
  Tensor summand = random_tensor(rng, DType::kF32, {6, 20});
  summand.set(3, std::numeric_limits<double>::quiet_NaN());
  summand.set(77, -std::numeric_limits<double>::quiet_NaN());
  const Operand a(random_bytes(rng, DType::kU8, {6, 9})), b(constant(random_bytes(rng, DType::kI8, {9, 20})));
  const Post sum{"Add", {}, {-1, 0}, {summand}}, clip{"Clip", {}, {-1, 0, 1}, {one(-0.5f), one(6.3f)}};
  for (const Post& limit : {Post{"Relu"}, clip})
    expect_in_tiles_too({"MatMulInteger", {a, b}, {}, 1, {kCast, sum, limit}}, "gemm_int8");
  for (const DType type : {DType::kU8, DType::kI8})
    expect_in_tiles_too({"MatMulInteger", {a, b}, {}, 1, {kCast, sum, quantize(one(0.7f), type, 5)}}, "gemm_int8");
}

TEST(Int8, ProductsOfOtherKinds) {
  std::mt19937 rng(2);
  const Operand b(constant(random_bytes(rng, DType::kI8, {9, 20})));
  const Post scale{"Mul", {}, {-1, 0}, {Tensor::scalar(0.03f)}};  // known only when running
  expect_in_tiles_too({"MatMulInteger", {random_bytes(rng, DType::kU8, {2, 3, 9}), b}, {}, 1, {kCast, scale}},
                      "gemm_int8");
  const Post sum{"Add", {}, {-1, 0}, {random_tensor(rng, DType::kF32, {6, 20})}};
  Case gaps{"MatMulInteger", {gapped(random_bytes(rng, DType::kI8, {6, 9})), b}, {}, 1, {kCast, sum}};
  gaps.gapped_outputs = true;
  expect_in_tiles_too(gaps, "gemm_int8");
  Tensor weights = Tensor::allocate(DType::kU8, {9, 20});
  for (int64_t i = 0; i < weights.size(); ++i) weights.set_int(i, static_cast<int64_t>(rng() % 100) + 100);
  Tensor zeros = Tensor::allocate(DType::kU8, {20});
  for (int64_t i = 0; i < 20; ++i) zeros.set_int(i, 120 + i);
  const Operand a(random_bytes(rng, DType::kU8, {6, 9}));
  expect_in_tiles_too({"MatMulInteger", {a, constant(weights), byte(DType::kU8, 9), constant(zeros)}}, "gemm_int8");
  // Weights that are no signed bytes, and zero points that only running tells.
  const Operand wide(constant(random_bytes(rng, DType::kU8, {9, 20})));
  expect_in_tiles_too({"MatMulInteger", {a, wide}}, "gemm_int8");
  expect_in_tiles_too({"MatMulInteger", {a, wide, byte(DType::kU8, 7), constant(random_bytes(rng, DType::kU8, {20}))}},
                      "gemm_int8");
  for (DType type : {DType::kU8, DType::kI8})
    expect_in_tiles_too(
        {"MatMulInteger", {random_bytes(rng, type, {6, 9}), b, random_bytes(rng, type, {1})}, {}, 1, {kCast}},
        "gemm_int8");
  expect_no_case({"MatMulInteger", {a, b, random_bytes(rng, DType::kU8, {6})}}, "gemm_int8");
  expect_no_case({"MatMulInteger", {a, b}, {}, 1, {kCast, {"Sigmoid"}}}, "gemm_int8");
}

TEST(Int8, ProductsOfTwoRunTimeOperands) {
  std::mt19937 rng(8);
  for (DType type : {DType::kU8, DType::kI8})
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
             {1, 1, 1}, {7, 13, 21}, {5, 64, 130}, {16, 33, 64}, {9, 100, 79}, {0, 4, 5}, {5, 0, 3}}) {
      const Operand a(random_bytes(rng, type, {2, 3, m, k})), b(random_bytes(rng, DType::kI8, {2, 3, k, n}));
      const Operand like(random_bytes(rng, DType::kU8, {2, 3, m, n}));
      const Operand zero = byte(type, type == DType::kU8 ? 255 : -128);
      for (auto& posts : chains(rng, n, false, like))
        expect_in_tiles_too({"MatMulInteger", {a, b, zero}, {}, 1, posts}, "gemm_int8_batched");
      const Operand centred(random_bytes(rng, DType::kU8, {2, 3, k, n}));
      expect_in_tiles_too({"MatMulInteger", {a, centred, absent(), byte(DType::kU8, 128)}}, "gemm_int8_batched");
      expect_in_tiles_too({"MatMulInteger", {gapped(a.tensor), gapped(b.tensor)}}, "gemm_int8_batched");
    }
  const Operand a(random_bytes(rng, DType::kU8, {3, 4})), b(random_bytes(rng, DType::kU8, {4, 5}));
  expect_no_case({"MatMulInteger", {a, b}}, "gemm_int8_batched");
  expect_no_case({"MatMulInteger", {a, b, absent(), byte(DType::kU8, 127)}}, "gemm_int8_batched");
  expect_no_case({"MatMulInteger", {random_bytes(rng, DType::kU8, {2, 3, 4}), b, absent(), byte(DType::kU8, 128)}},
                 "gemm_int8_batched");
}

TEST(Int8, SummandsPerColumnOfARun) {
  std::mt19937 rng(9);
  const Operand a(random_bytes(rng, DType::kU8, {6, 9})), b(constant(random_bytes(rng, DType::kI8, {9, 32})));
  const Post sum{"Add", {}, {-1, 0}, {numbers(rng, {1, 32}, -9, 9)}};
  expect_in_tiles_too({"MatMulInteger", {a, b}, {}, 1, {kCast, sum}}, "gemm_int8");
  const Operand narrow(constant(random_bytes(rng, DType::kI8, {9, 20})));
  const Post few{"Add", {}, {-1, 0}, {numbers(rng, {1, 20}, -9, 9)}};
  expect_no_case({"MatMulInteger", {a, narrow}, {}, 1, {kCast, few}}, "gemm_int8");
}

struct ConvDims {
  Dims x, w;
  Attributes attributes;
};

void expect_convolutions(std::mt19937& rng, const ConvDims& dims, const Dims& y, const char* tactic) {
  const Layout last = Layout::channels_last(static_cast<int>(y.size()));
  for (DType type : {DType::kU8, DType::kI8}) {
    const Operand x = channels_last(random_bytes(rng, type, dims.x)),
                  w = constant(random_bytes(rng, DType::kI8, dims.w));
    const Operand like = channels_last(random_bytes(rng, DType::kI8, y));
    for (auto& posts : chains(rng, dims.w[0], true, like)) {
      Case c{"ConvInteger", {x, w, byte(type, type == DType::kU8 ? 131 : -3)}, dims.attributes, 1, posts};
      c.output_layouts = {last};
      if (tactic == std::string("depthwise_int8")) expect_case(c, tactic);
      else expect_in_tiles_too(c, tactic);
    }
  }
}

TEST(Int8, Convolutions) {
  std::mt19937 rng(3);
  const Attributes padded{{"pads", Ints{1, 1, 1, 1}}};
  expect_convolutions(rng, {{2, 16, 5, 7}, {24, 16, 1, 1}, {}}, {2, 24, 5, 7}, "conv_int8");
  expect_convolutions(rng, {{1, 6, 9, 7}, {70, 6, 1, 1}, {{"strides", Ints{2, 2}}}}, {1, 70, 5, 4}, "conv_int8");
  expect_convolutions(rng, {{1, 8, 6, 9}, {17, 8, 3, 3}, padded}, {1, 17, 6, 9}, "conv_int8");
  expect_convolutions(rng, {{2, 3, 15, 13}, {32, 3, 7, 7}, {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}}},
                      {2, 32, 8, 7}, "conv_int8");
  expect_convolutions(
      rng, {{1, 5, 8, 8}, {4, 5, 3, 3}, {{"dilations", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}},
      {1, 4, 8, 8}, "conv_int8");
  expect_convolutions(rng, {{1, 12, 6, 6}, {20, 6, 3, 3}, {{"group", int64_t{2}}, {"pads", Ints{0, 1, 2, 1}}}},
                      {1, 20, 6, 6}, "conv_int8");
  expect_convolutions(rng, {{1, 7283, 3, 4}, {3, 7283, 3, 3}, {}}, {1, 3, 1, 2}, "conv_int8");
}

TEST(Int8, ConvolutionsOfLines) {
  std::mt19937 rng(31);
  expect_convolutions(rng, {{2, 16, 9}, {24, 16, 1}, {}}, {2, 24, 9}, "conv_int8");
  expect_convolutions(rng, {{1, 5, 17}, {70, 5, 3}, {{"pads", Ints{2, 1}}, {"strides", Ints{2}}}}, {1, 70, 9},
                      "conv_int8");
  expect_convolutions(rng, {{2, 12, 11}, {20, 6, 3}, {{"group", int64_t{2}}, {"dilations", Ints{3}}}}, {2, 20, 5},
                      "conv_int8");
  expect_convolutions(rng, {{1, 3, 8}, {4, 3, 5}, {{"auto_pad", std::string("SAME_LOWER")}}}, {1, 4, 8}, "conv_int8");
  expect_convolutions(rng, {{0, 3, 8}, {4, 3, 5}, {}}, {0, 4, 4}, "conv_int8");
  for (int64_t c : {1, 37, 96}) {
    const Attributes padded{{"group", c}, {"pads", Ints{1, 2}}};
    expect_convolutions(rng, {{2, c, 10}, {c, 1, 3}, padded}, {2, c, 11}, "depthwise_int8");
    const Attributes strided{{"group", c}, {"strides", Ints{2}}, {"dilations", Ints{2}}};
    expect_convolutions(rng, {{1, c, 21}, {c, 1, 9}, strided}, {1, c, 3}, "depthwise_int8");
  }
}

TEST(Int8, ConvolutionsOfVolumes) {
  std::mt19937 rng(32);
  expect_convolutions(rng, {{2, 16, 3, 4, 5}, {24, 16, 1, 1, 1}, {}}, {2, 24, 3, 4, 5}, "conv_int8");
  expect_convolutions(rng, {{2, 7, 5, 4, 5}, {24, 7, 1, 1, 1}, {{"strides", Ints{2, 1, 1}}}}, {2, 24, 3, 4, 5},
                      "conv_int8");
  expect_convolutions(rng, {{1, 3, 4, 5, 6}, {17, 3, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1, 1, 1}}}}, {1, 17, 4, 5, 6},
                      "conv_int8");
  expect_convolutions(rng,
                      {{2, 6, 7, 5, 9},
                       {10, 3, 3, 2, 3},
                       {{"group", int64_t{2}},
                        {"pads", Ints{2, 0, 1, 0, 1, 3}},
                        {"strides", Ints{2, 1, 3}},
                        {"dilations", Ints{2, 3, 1}}}},
                      {2, 10, 3, 3, 4}, "conv_int8");
  expect_convolutions(rng, {{1, 8, 6, 3, 4}, {5, 8, 4, 1, 1}, {{"auto_pad", std::string("SAME_UPPER")}}},
                      {1, 5, 6, 3, 4}, "conv_int8");
  expect_convolutions(rng, {{0, 3, 2, 2, 2}, {4, 3, 2, 2, 2}, {}}, {0, 4, 1, 1, 1}, "conv_int8");
  for (int64_t c : {1, 37, 70}) {
    const Attributes padded{{"group", c}, {"pads", Ints{1, 1, 1, 1, 1, 1}}};
    expect_convolutions(rng, {{2, c, 4, 5, 7}, {c, 1, 3, 3, 3}, padded}, {2, c, 4, 5, 7}, "depthwise_int8");
    const Attributes strided{
        {"group", c}, {"strides", Ints{2, 1, 2}}, {"dilations", Ints{1, 2, 2}}, {"pads", Ints{0, 2, 1, 1, 0, 1}}};
    expect_convolutions(rng, {{1, c, 6, 5, 9}, {c, 1, 2, 2, 4}, strided}, {1, c, 3, 5, 3}, "depthwise_int8");
  }
}

TEST(Int8, DepthOfAPlanIsChecked) {
  const Tensor x = Tensor::allocate(DType::kU8, {1, 1, 2, 3, 4}), w = Tensor::allocate(DType::kI8, {64}),
               start = Tensor::allocate(DType::kI32, {32});
  const auto code = [&](const Ints& depth) {
    std::vector<Tensor> outputs{Tensor::allocate(DType::kI32, {1, 1, 2, 3, 4})};
    const Attributes parameters = to_parameters(cpu::kernels::ConvInt8Parameters{.depth = {depth}});
    try {
      return launch_kernel("conv_int8", parameters, {x, w, start, Tensor(), Tensor()}, outputs).code;
    } catch (const Error& e) {
      return e.code();
    }
  };
  EXPECT_EQ(code({1, 1, 1, 0, 0}), Code::kOk);
  EXPECT_EQ(code({1, 1, 1, 0}), Code::kMalformedPlan);
  EXPECT_EQ(code({0, 1, 1, 0, 0}), Code::kMalformedPlan);
  EXPECT_EQ(code({1, 1, 0, 0, 0}), Code::kMalformedPlan);
  EXPECT_EQ(code({1, 1, 1, -1, 0}), Code::kMalformedPlan);
  EXPECT_EQ(code({2, 1, 1, 0, 0}), Code::kShapeMismatch);
  EXPECT_EQ(code({1, 1, 1, 1 << 30, 1 << 30}), Code::kShapeMismatch);
  EXPECT_EQ(code({1 << 30, 1, 1, 1 << 29, (1 << 29) - 1}), Code::kShapeMismatch);
}

TEST(Int8, ConvolutionsOfWideWeightsAndZeroPointsOfARun) {
  std::mt19937 rng(7);
  for (int64_t group : {1, 6})
    for (DType type : {DType::kU8, DType::kI8}) {
      const Dims w{6, 6 / group, 3, 3};
      const Operand x = channels_last(random_bytes(rng, type, {1, 6, 7, 5}));
      Tensor weights = random_bytes(rng, DType::kU8, w), zeros = random_bytes(rng, DType::kU8, {6});
      weights.set_int(0, 255), zeros.set_int(0, 0);
      Case c{"ConvInteger",
             {x, constant(weights), random_bytes(rng, type, {}), constant(zeros)},
             {{"group", group}, {"pads", Ints{1, 1, 1, 1}}}};
      c.output_layouts = {Layout::channels_last(4)};
      if (group == 1) expect_in_tiles_too(c, "conv_int8");
      else expect_case(c, "depthwise_int8");
    }
}

TEST(Int8, DepthwiseConvolutions) {
  std::mt19937 rng(4);
  for (int64_t c : {1, 8, 37, 96}) {
    const Attributes attributes{{"group", c}, {"pads", Ints{1, 1, 1, 1}}};
    expect_convolutions(rng, {{1, c, 6, 7}, {c, 1, 3, 3}, attributes}, {1, c, 6, 7}, "depthwise_int8");
    const Attributes strided{
        {"group", c}, {"strides", Ints{2, 2}}, {"pads", Ints{2, 2, 2, 2}}, {"dilations", Ints{1, 2}}};
    expect_convolutions(rng, {{2, c, 9, 9}, {c, 1, 5, 3}, strided}, {2, c, 5, 5}, "depthwise_int8");
  }
}

// Tactics of oneDNN stand where it adds exactly: with VNNI they must, elsewhere they may.
class OnednnInt8 : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto& all = cpu::target().tactics().all();
    if (std::none_of(all.begin(), all.end(), [](const Tactic* t) { return t->name == "onednn_conv_int8"; }))
      GTEST_SKIP() << "built without oneDNN";
  }
  static void expect_exact(const Case& c, const char* tactic) {
    if (__builtin_cpu_supports("avx512vnni")) expect_case(c, tactic);
    else (void)check_case(c, tactic);
  }
};

TEST_F(OnednnInt8, Products) {
  std::mt19937 rng(21);
  const char* const tactic = "onednn_matmul_int8";
  for (DType type : {DType::kU8, DType::kI8}) {
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
             {1, 1, 1}, {7, 13, 21}, {1, 64, 130}, {50, 100, 79}, {3, 4099, 17}, {2, 65536, 5}}) {
      const Operand a(random_bytes(rng, type, {m, k})), b(constant(random_bytes(rng, DType::kI8, {k, n})));
      const Operand like(random_bytes(rng, DType::kU8, {m, n})), zero = byte(type, type == DType::kU8 ? 255 : -128);
      for (auto& posts : chains(rng, n, false, like))
        expect_exact({"MatMulInteger", {a, b, zero}, {}, 1, posts}, tactic);
      expect_exact({"MatMulInteger", {a, b, random_bytes(rng, type, {1})}, {}, 1, {kCast}}, tactic);
    }
    for (const auto& [m, k, n] : {std::array<int64_t, 3>{0, 4, 5}, {5, 0, 3}, {5, 3, 0}})
      expect_no_case(
          {"MatMulInteger", {random_bytes(rng, type, {m, k}), constant(random_bytes(rng, DType::kI8, {k, n}))}},
          tactic);
    const Operand b(constant(random_bytes(rng, DType::kI8, {9, 20})));
    expect_exact({"MatMulInteger", {random_bytes(rng, type, {2, 3, 9}), b}, {}, 1, {kCast}}, tactic);
    expect_no_case({"MatMulInteger", {dynamic(random_bytes(rng, type, {6, 9}), {Dim::symbol("m"), Dim(9)}), b}},
                   tactic);
    // All at the ends: sums of pairs leave 16 bits.
    Tensor most = Tensor::allocate(type, {3, 64}), least = Tensor::allocate(DType::kI8, {64, 20});
    for (int64_t i = 0; i < most.size(); ++i) most.set_int(i, type == DType::kU8 ? 255 : -128);
    for (int64_t i = 0; i < least.size(); ++i) least.set_int(i, -128);
    expect_exact({"MatMulInteger", {most, constant(least)}}, tactic);
  }
  const Operand wide(constant(random_bytes(rng, DType::kU8, {9, 20})));
  expect_no_case({"MatMulInteger", {random_bytes(rng, DType::kU8, {6, 9}), wide}}, tactic);
}

TEST_F(OnednnInt8, Convolutions) {
  std::mt19937 rng(22);
  const Layout last = Layout::channels_last(4);
  struct Sizes {
    ConvDims dims;
    Dims y;
  };
  const std::vector<Sizes> all{
      {{{2, 16, 5, 7}, {24, 16, 1, 1}, {}}, {2, 24, 5, 7}},
      {{{1, 6, 9, 7}, {70, 6, 1, 1}, {{"strides", Ints{2, 2}}}}, {1, 70, 5, 4}},
      {{{1, 8, 6, 9}, {17, 8, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}}, {1, 17, 6, 9}},
      {{{2, 3, 15, 13}, {32, 3, 7, 7}, {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}}}, {2, 32, 8, 7}},
      {{{1, 5, 8, 8}, {4, 5, 3, 3}, {{"dilations", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}},
       {1, 4, 8, 8}},
      {{{1, 12, 6, 6}, {20, 6, 3, 3}, {{"group", int64_t{2}}, {"pads", Ints{0, 1, 2, 1}}}}, {1, 20, 6, 6}}};
  for (const auto& [dims, y] : all)
    for (DType type : {DType::kU8, DType::kI8}) {
      const Operand x = channels_last(random_bytes(rng, type, dims.x)),
                    w = constant(random_bytes(rng, DType::kI8, dims.w)),
                    like = channels_last(random_bytes(rng, DType::kI8, y));
      for (auto& posts : chains(rng, dims.w[0], true, like)) {
        Case c{"ConvInteger", {x, w}, dims.attributes, 1, posts};
        c.output_layouts = {last};
        // Groups and few channels have primitives of oneDNN that are not exact, or none.
        if (dims.attributes.has("group") || dims.x[1] < 8) (void)check_case(c, "onednn_conv_int8");
        else expect_exact(c, "onednn_conv_int8");
      }
    }
}

TEST_F(OnednnInt8, PaddingOfOtherZeroPointsIsRefused) {
  std::mt19937 rng(23);
  const Operand x = channels_last(random_bytes(rng, DType::kU8, {1, 8, 6, 9})),
                w = constant(random_bytes(rng, DType::kI8, {17, 8, 3, 3}));
  Case c{"ConvInteger", {x, w, byte(DType::kU8, 3)}, {{"pads", Ints{1, 1, 1, 1}}}};
  c.output_layouts = {Layout::channels_last(4)};
  expect_no_case(c, "onednn_conv_int8");
  c.attributes = {};
  expect_exact(c, "onednn_conv_int8");
}

TEST(Int8, MaximaOfWindows) {
  std::mt19937 rng(5);
  for (DType type : {DType::kU8, DType::kI8})
    for (const Attributes& a :
         {Attributes{{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
          Attributes{{"kernel_shape", Ints{2, 4}}, {"dilations", Ints{2, 1}}}})
      for (int64_t channels : {1, 70, 130}) {
        const Tensor x = random_bytes(rng, type, {2, channels, 9, 8});
        Case last{"MaxPool", {channels_last(x)}, a};
        last.output_layouts = {Layout::channels_last(4)};
        expect_case(last, "pool");
        expect_case({"MaxPool", {x}, a}, "pool");
      }
  for (DType type : {DType::kU8, DType::kI8})
    for (const Attributes& a :
         {Attributes{{"kernel_shape", Ints{2, 3, 3}}, {"strides", Ints{2, 2, 1}}, {"pads", Ints{1, 1, 0, 0, 1, 2}}},
          Attributes{{"kernel_shape", Ints{3, 1, 2}}, {"dilations", Ints{2, 1, 3}}, {"ceil_mode", int64_t{1}}},
          Attributes{{"kernel_shape", Ints{3, 3, 3}}, {"auto_pad", std::string("SAME_UPPER")}}})
      for (const Dims& dims : {Dims{2, 70, 5, 6, 7}, Dims{1, 3, 6, 4, 5}, Dims{0, 3, 6, 4, 5}}) {
        Case last{"MaxPool", {channels_last(random_bytes(rng, type, dims))}, a};
        last.output_layouts = {Layout::channels_last(5)};
        expect_case(last, "pool_volumes");
      }
  Case outside{
      "MaxPool", {random_bytes(rng, DType::kI8, {1, 3, 4})}, {{"kernel_shape", Ints{1}}, {"pads", Ints{1, 0}}}};
  expect_case(outside, "pool");
}

}  // namespace
}  // namespace kiln::testing
