// Products and convolutions of integers of 16 bits by bytes, with what follows them: bit for bit what the reference gives.
#include <gtest/gtest.h>

#include <limits>

#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/harness.h"
#include "base/error.h"

namespace kiln::testing {
namespace {

constexpr DType kWords[] = {DType::kI16, DType::kU16};

Tensor random_bits(std::mt19937& rng, DType type, Dims dims) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  auto* to = static_cast<uint8_t*>(t.mutable_data());
  for (int64_t i = 0; i < t.bytes(); ++i) to[i] = static_cast<uint8_t>(rng());
  return t;
}

Operand one_integer(DType type, int64_t value) {
  Tensor t = Tensor::allocate(type, {});
  t.set_int(0, value);
  return constant(std::move(t));
}

Tensor reals(std::mt19937& rng, Dims dims, float low, float high) {
  Tensor t = Tensor::allocate(DType::kF32, std::move(dims));
  std::uniform_real_distribution<float> uniform(low, high);
  for (float& v : t.as_mutable<float>()) v = uniform(rng);
  return t;
}

// Zero points: that of a, none where it is absent; those of b per column where `zeros`.
Case words_case(std::mt19937& rng, DType type, DType weights, Dims a, int64_t n, std::optional<int64_t> zero,
                bool zeros = false) {
  const int64_t k = a.back();
  Case c{"MatMulInteger", {random_bits(rng, type, std::move(a)), constant(random_bits(rng, weights, {k, n}))}};
  if (zero || zeros) c.inputs.push_back(zero ? one_integer(type, *zero) : absent());
  if (zeros) c.inputs.push_back(constant(random_bits(rng, weights, {n})));
  return c;
}

TEST(Int16, Products) {
  std::mt19937 rng(1);
  for (const DType type : kWords)
    for (const DType weights : {DType::kI8, DType::kU8})
      for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                       {7, 13, 21},
                                                                       {1, 64, 130},
                                                                       {8, 33, 16},
                                                                       {130, 47, 33},
                                                                       {3, 65536, 5},
                                                                       {0, 4, 5},
                                                                       {5, 0, 3},
                                                                       {5, 3, 0}}) {
        const int64_t least = type == DType::kI16 ? INT16_MIN : 0;
        expect_case(words_case(rng, type, weights, {m, k}, n, std::nullopt), "gemm_int16");
        for (const int64_t zero : {least, least + 65535, least + 32768, least + 77})
          expect_case(words_case(rng, type, weights, {m, k}, n, zero, true), "gemm_int16");
      }
}

TEST(Int16, Extremes) {
  for (const DType type : kWords)
    for (const int64_t word : {INT16_MIN, INT16_MAX})
      for (const int64_t byte : {-128, 127}) {
        Tensor a = Tensor::allocate(type, {9, 515}), b = Tensor::allocate(DType::kI8, {515, 18});
        for (int64_t i = 0; i < a.size(); ++i) a.set_int(i, type == DType::kU16 ? word + 32768 : word);
        for (int64_t i = 0; i < b.size(); ++i) b.set_int(i, byte);
        for (const int64_t zero : {-128, 0, 127})
          expect_case(Case{"MatMulInteger", {a, constant(b), absent(), one_integer(DType::kI8, zero)}}, "gemm_int16");
      }
}

TEST(Int16, WhatFollowsTheSums) {
  std::mt19937 rng(2);
  const Dims columns{37};
  const Post cast{"Cast", {{"to", std::string("float32")}}};
  const Post scale{"Mul", {}, {-1, 0}, {constant(reals(rng, columns, 1e-7f, 4e-6f))}};
  const Post bias{"Add", {}, {0, -1}, {constant(reals(rng, columns, -9, 9))}};
  const Post sum{"Add", {}, {-1, 0}, {Operand(reals(rng, {2, 11, 37}, -3, 3))}};
  const Post bytes{"Quantize",
                   {{"to", std::string("uint8")}},
                   {-1, 0, 1},
                   {constant(Tensor::scalar(0.03f)), one_integer(DType::kU8, 9)}};
  for (const DType type : kWords)
    for (const std::vector<Post>& posts : std::vector<std::vector<Post>>{
             {cast}, {cast, scale}, {cast, scale, bias, {"Relu"}}, {cast, scale, bias, sum, {"Relu"}, bytes}}) {
      Case c = words_case(rng, type, DType::kI8, {2, 11, 40}, 37, 100);
      c.posts = posts;
      expect_case(c, "gemm_int16");
    }
  Case gaps = words_case(rng, DType::kU16, DType::kI8, {11, 41}, 37, 100);
  gaps.inputs[0].gaps = true;
  gaps.gapped_outputs = true;
  expect_case(gaps, "gemm_int16");
}

struct WordConvolution {
  Dims x, w, y;
  Attributes attributes = {};
};

Case convolution_case(std::mt19937& rng, const WordConvolution& c, DType type, std::optional<int64_t> zero,
                      bool zeros = false) {
  Case made{"ConvInteger",
            {channels_last(random_bits(rng, type, c.x)), constant(random_bits(rng, DType::kU8, c.w))},
            c.attributes};
  if (zero || zeros) made.inputs.push_back(zero ? one_integer(type, *zero) : absent());
  if (zeros) made.inputs.push_back(constant(random_bits(rng, DType::kU8, {c.w[0]})));
  made.output_layouts = {Layout::channels_last(static_cast<int>(c.y.size()))};
  return made;
}

TEST(Int16, Convolutions) {
  std::mt19937 rng(4);
  const auto padded = [](Ints pads) { return Attributes{{"pads", std::move(pads)}}; };
  const std::vector<WordConvolution> shapes{
      {{2, 16, 5, 7}, {24, 16, 1, 1}, {2, 24, 5, 7}},
      {{1, 5, 9, 7}, {70, 5, 1, 1}, {1, 70, 5, 4}, {{"strides", Ints{2, 2}}}},
      {{1, 7, 6, 9}, {17, 7, 3, 3}, {1, 17, 6, 9}, padded({1, 1, 1, 1})},
      {{2, 3, 15, 13}, {32, 3, 7, 7}, {2, 32, 8, 7}, {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}}},
      {{1, 5, 8, 8}, {4, 5, 3, 3}, {1, 4, 8, 8}, {{"dilations", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}},
      {{1, 12, 6, 6}, {20, 6, 3, 3}, {1, 20, 6, 6}, {{"group", int64_t{2}}, {"pads", Ints{0, 1, 2, 1}}}},
      {{1, 3, 6, 6}, {3, 1, 3, 3}, {1, 3, 4, 4}, {{"group", int64_t{3}}}},
      {{1, 7283, 3, 4}, {3, 7283, 3, 3}, {1, 3, 1, 2}},
      {{2, 16, 9}, {24, 16, 1}, {2, 24, 9}},
      {{1, 5, 17}, {70, 5, 3}, {1, 70, 9}, {{"pads", Ints{2, 1}}, {"strides", Ints{2}}}},
      {{0, 3, 8}, {4, 3, 5}, {0, 4, 4}},
      {{1, 3, 4, 5, 6}, {17, 3, 3, 3, 3}, {1, 17, 4, 5, 6}, padded({1, 1, 1, 1, 1, 1})},
      {{2, 6, 7, 5, 9},
       {10, 3, 3, 2, 3},
       {2, 10, 3, 3, 4},
       {{"group", int64_t{2}},
        {"pads", Ints{2, 0, 1, 0, 1, 3}},
        {"strides", Ints{2, 1, 3}},
        {"dilations", Ints{2, 3, 1}}}}};
  for (const DType type : kWords)
    for (const WordConvolution& shape : shapes) {
      const int64_t least = type == DType::kI16 ? INT16_MIN : 0;
      expect_case(convolution_case(rng, shape, type, std::nullopt), "conv_int16");
      for (const int64_t zero : {least, least + 65535, least + 32768, least + 77})
        expect_case(convolution_case(rng, shape, type, zero, true), "conv_int16");
    }
}

TEST(Int16, WhatFollowsConvolutions) {
  std::mt19937 rng(5);
  const WordConvolution shape{{2, 10, 6, 5}, {37, 10, 3, 3}, {2, 37, 6, 5}, {{"pads", Ints{1, 1, 1, 1}}}};
  const Post cast{"Cast", {{"to", std::string("float32")}}};
  const Post scale{"Mul", {}, {-1, 0}, {constant(reals(rng, {37, 1, 1}, 1e-7f, 4e-6f))}};
  const Post bias{"Add", {}, {0, -1}, {constant(reals(rng, {37, 1, 1}, -9, 9))}};
  const Post sum{"Add", {}, {-1, 0}, {channels_last(reals(rng, shape.y, -3, 3))}};
  const Post bytes{"Quantize",
                   {{"to", std::string("int8")}},
                   {-1, 0, 1},
                   {constant(Tensor::scalar(0.03f)), one_integer(DType::kI8, -9)}};
  for (const DType type : kWords)
    for (const std::vector<Post>& posts : std::vector<std::vector<Post>>{
             {cast}, {cast, scale, bias, {"Relu"}}, {cast, scale, bias, sum, {"Relu"}, bytes}}) {
      Case c = convolution_case(rng, shape, type, 100);
      c.posts = posts;
      expect_case(c, "conv_int16");
    }
}

TEST(Int16, OtherConvolutionsAreRefused) {
  std::mt19937 rng(6);
  const WordConvolution shape{{1, 4, 5, 5}, {8, 4, 3, 3}, {1, 8, 3, 3}};
  expect_no_case(convolution_case(rng, shape, DType::kI8, std::nullopt), "conv_int16");
  Case late = convolution_case(rng, shape, DType::kI16, std::nullopt);
  late.inputs[1].constant = false;
  expect_no_case(late, "conv_int16");
  Case late_zero = convolution_case(rng, shape, DType::kI16, 3);
  late_zero.inputs[2].constant = false;
  expect_no_case(late_zero, "conv_int16");
  Case row_major = convolution_case(rng, shape, DType::kI16, 3);
  row_major.inputs[0].layout = {};
  expect_no_case(row_major, "conv_int16");
  for (const char* other : {"conv_int8", "depthwise_int8", "integer_product", "onednn_conv_int8"})
    expect_no_case(convolution_case(rng, shape, DType::kU16, 3), other);
}

TEST(Int16, ConvolutionRefusesWhatDoesNotFit) {
  const Attributes parameters = to_parameters(
      cpu::kernels::ConvInt16Parameters{.image = {.window = {.kernel = {1, 3}, .stride = {1, 1}, .dilation = {1, 1}}}});
  const Tensor x = Tensor::allocate(DType::kI16, {1, 1, 2, 5}), packed = Tensor::allocate(DType::kI16, {4 * 16});
  std::vector<Tensor> out{Tensor::allocate(DType::kI32, {1, 1, 2, 3})};
  const auto status = [&](const Tensor& image, const Tensor& weights, const Tensor& zero = {}) {
    return launch_kernel("conv_int16", parameters, {image, weights, {}, {}, zero}, out);
  };
  EXPECT_TRUE(status(x, packed).ok());
  EXPECT_FALSE(status(x, Tensor::allocate(DType::kI16, {3 * 16})).ok());
  EXPECT_FALSE(status(x, Tensor::allocate(DType::kI8, {4 * 16})).ok());
  EXPECT_FALSE(status(Tensor::allocate(DType::kI8, {1, 1, 2, 5}), packed).ok());
  EXPECT_FALSE(status(Tensor::allocate(DType::kI16, {1, 1, 2, 6}), packed).ok());
  EXPECT_FALSE(status(x, packed, Tensor::allocate(DType::kI16, {})).ok());
}

TEST(Int16, OthersAreRefused) {
  std::mt19937 rng(3);
  expect_no_case(words_case(rng, DType::kI8, DType::kI8, {5, 6}, 7, std::nullopt), "gemm_int16");
  Case late = words_case(rng, DType::kI16, DType::kI8, {5, 6}, 7, std::nullopt);
  late.inputs[1].constant = false;
  expect_no_case(late, "gemm_int16");
  Case late_zero = words_case(rng, DType::kI16, DType::kI8, {5, 6}, 7, 3);
  late_zero.inputs[2].constant = false;
  expect_no_case(late_zero, "gemm_int16");
  for (const char* other : {"gemm_int8", "gemm_int8_batched", "integer_product"})
    expect_no_case(words_case(rng, DType::kU16, DType::kI8, {5, 6}, 7, 3), other);
}

TEST(Int16, KernelRefusesWhatDoesNotFit) {
  const Attributes parameters = to_parameters(cpu::kernels::GemmInt16Parameters{.n = 3});
  const Tensor a = Tensor::allocate(DType::kI16, {2, 5}), packed = Tensor::allocate(DType::kI16, {6 * 16});
  std::vector<Tensor> out{Tensor::allocate(DType::kI32, {2, 3})};
  const auto status = [&](const Tensor& left, const Tensor& right, const Tensor& zero = {}) {
    return launch_kernel("gemm_int16", parameters, {left, right, {}, {}, zero}, out);
  };
  EXPECT_TRUE(status(a, packed).ok());
  EXPECT_FALSE(status(a, Tensor::allocate(DType::kI16, {5 * 16})).ok());
  EXPECT_FALSE(status(a, Tensor::allocate(DType::kI8, {6 * 16})).ok());
  EXPECT_FALSE(status(Tensor::allocate(DType::kI8, {2, 5}), packed).ok());
  EXPECT_FALSE(status(Tensor::allocate(DType::kI16, {3, 5}), packed).ok());
  EXPECT_FALSE(status(a, packed, Tensor::allocate(DType::kI16, {})).ok());
}

}  // namespace
}  // namespace kiln::testing
