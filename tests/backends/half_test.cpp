// Products and convolutions of float16 and bfloat16 whose kernels compute in float32.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/product_int8.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/harness.h"

namespace kiln::testing {
namespace {

std::vector<DType> types() {
  if (cpu::multiplies_bfloat16()) return {DType::kF16};
  return {DType::kF16, DType::kBF16};
}

// Sums in another order may round to the neighbour.
double one_step(DType type) { return type == DType::kF16 ? 2e-3 : 2e-2; }

Tensor of_type(std::mt19937& rng, DType type, Dims dims) {
  return random_tensor(rng, DType::kF32, std::move(dims)).cast(type);
}

Case product(std::mt19937& rng, DType type, Dims a, int64_t n, std::vector<Post> posts = {}) {
  const int64_t k = a.back();
  Case c{"MatMul", {of_type(rng, type, std::move(a)), constant(of_type(rng, type, {k, n}))}};
  c.posts = std::move(posts);
  c.tolerance = one_step(type);
  return c;
}

TEST(Half, Products) {
  std::mt19937 rng(1);
  for (const DType type : types())
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                     {1, 67, 130},
                                                                     {6, 1031, 48},
                                                                     {7, 13, 21},
                                                                     {64, 33, 64},
                                                                     {500, 130, 79},
                                                                     {0, 4, 5},
                                                                     {5, 0, 3},
                                                                     {5, 3, 0}}) {
      const Operand bias = constant(of_type(rng, type, {n})), like(of_type(rng, type, {m, n}));
      const Post sum{"Add", {}, {0, -1}, {like}}, biased{"Add", {}, {-1, 0}, {bias}};
      expect_case(product(rng, type, {m, k}, n), "gemm_half");
      expect_case(product(rng, type, {m, k}, n, {{"Relu"}}), "gemm_half");
      if (m * n == 1) continue;  // the sum would be another bias, not known when the engine is built
      expect_case(product(rng, type, {m, k}, n, {biased, {"Gelu"}, sum}), "gemm_half");
    }
}

TEST(Half, ProductsOfOtherShapes) {
  std::mt19937 rng(2);
  for (const DType type : types()) {
    expect_case(product(rng, type, {2, 3, 40}, 24), "gemm_half");
    expect_case(product(rng, type, {40}, 24), "gemm_half");
    for (const int64_t m : {1, 3, 300}) {
      Case gaps = product(rng, type, {m, 41}, 24);
      gaps.inputs[0].gaps = true;
      gaps.gapped_outputs = true;
      expect_case(gaps, "gemm_half");
      Case rows = product(rng, type, {m, 600}, 70);
      rows.inputs[0] = dynamic(rows.inputs[0].tensor, {Dim::symbol("rows"), Dim(600)});
      expect_case(rows, "gemm_half");
    }
    Case vector = product(rng, type, {9, 40}, 1);
    vector.inputs[1] = constant(of_type(rng, type, {40}));
    expect_case(vector, "gemm_half");
    Case turned{
        "Gemm",
        {of_type(rng, type, {30, 41}), constant(of_type(rng, type, {70, 41})), constant(of_type(rng, type, {70}))},
        {{"transB", int64_t{1}}}};
    turned.tolerance = one_step(type);
    expect_case(turned, "gemm_half");
    turned.attributes.set("alpha", 0.5);
    expect_no_case(turned, "gemm_half");
    Case late = product(rng, type, {3, 40}, 24);
    late.inputs[1].constant = false;
    expect_no_case(late, "gemm_half");
  }
  Case wide = product(rng, DType::kF32, {3, 40}, 24);
  expect_no_case(wide, "gemm_half");
}

Case conv(std::mt19937& rng, DType type, Dims x, Dims w, Attributes attributes, std::vector<Post> posts = {}) {
  const Dims columns{w[0]};
  Case c{"Conv",
         {channels_last(of_type(rng, type, std::move(x))), constant(of_type(rng, type, std::move(w))),
          constant(of_type(rng, type, columns))},
         std::move(attributes)};
  c.posts = std::move(posts);
  c.output_layouts = {Layout::channels_last(4)};
  c.tolerance = 2 * one_step(type);
  return c;
}

TEST(Half, Convolutions) {
  std::mt19937 rng(3);
  const Attributes padded{{"pads", Ints{1, 1, 1, 1}}}, strided{{"strides", Ints{2, 2}}};
  const Attributes late{{"dilations", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}};
  for (const DType type : types()) {
    const Operand like = channels_last(of_type(rng, type, {2, 24, 5, 7}));
    const Post sum{"Add", {}, {0, -1}, {like}};
    const auto expect = [&](Dims x, Dims w, const Attributes& attributes, std::vector<Post> posts = {}) {
      expect_case(conv(rng, type, std::move(x), std::move(w), attributes, std::move(posts)), "conv_half");
    };
    expect({2, 16, 5, 7}, {24, 16, 1, 1}, {}, {sum, {"Relu"}});
    expect({2, 15, 5, 7}, {24, 15, 3, 3}, padded, {{"Relu"}, sum});
    expect({1, 7, 9, 7}, {70, 7, 1, 1}, strided);
    expect({1, 5, 8, 8}, {4, 5, 3, 3}, late);
    expect({1, 3, 30, 31}, {33, 3, 7, 7}, {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}});
    expect({1, 12, 6, 6}, {20, 3, 3, 3}, {{"group", int64_t{4}}, {"pads", Ints{0, 1, 2, 1}}});
    expect({3, 40, 64, 33}, {64, 40, 1, 1}, {});
    expect({2, 16, 70, 41}, {32, 16, 3, 3}, padded, {{"Relu"}});
    expect({1, 16, 3, 3}, {8, 16, 1, 1}, {{"pads", Ints{2, 0, 3, 0}}});  // lines of padding alone
    expect({1, 40, 1, 1}, {70, 40, 1, 1}, {}, {{"Sigmoid"}});
    expect({0, 8, 6, 6}, {4, 8, 1, 1}, {});
    Case rows = conv(rng, type, {2, 3, 37, 150}, {20, 3, 3, 3}, padded);
    rows.inputs[0].layout = {};
    expect_case(rows, "conv_half");
    Case unbiased = conv(rng, type, {1, 64, 14, 14}, {130, 64, 3, 3}, padded);
    unbiased.inputs.pop_back();
    expect_case(unbiased, "conv_half");
    unbiased.inputs[1].constant = false;
    expect_no_case(unbiased, "conv_half");
  }
}

TEST(Half, ImagesWithGaps) {
  std::mt19937 rng(4);
  for (const DType type : types())
    for (const char* tactic : {"conv_half", "winograd_half"}) {
      Case c = conv(rng, type, {2, 16, 40, 21}, {24, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}});
      c.inputs[0].gaps = true;
      expect_case(c, tactic);
    }
}

TEST(Half, MinimalFiltering) {
  std::mt19937 rng(5);
  for (const DType type : types())
    for (const auto& [height, width] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {5, 7}, {64, 30}, {37, 9}}) {
      const Operand like = channels_last(of_type(rng, type, {2, 24, height, width}));
      const Post sum{"Add", {}, {0, -1}, {like}};
      for (const std::vector<Post>& posts : std::vector<std::vector<Post>>{{}, {sum, {"Relu"}}, {{"HardSwish"}, sum}})
        expect_case(conv(rng, type, {2, 16, height, width}, {24, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, posts),
                    "winograd_half");
    }
  expect_no_case(conv(rng, DType::kF16, {1, 16, 8, 8}, {24, 16, 3, 3}, {{"strides", Ints{2, 2}}}), "winograd_half");
  expect_no_case(conv(rng, DType::kF16, {1, 16, 8, 8}, {24, 16, 1, 1}, {}), "winograd_half");
}

TEST(Half, EachChannelAlone) {
  std::mt19937 rng(6);
  const std::vector<Attributes> all{
      {{"pads", Ints{1, 1, 1, 1}}}, {{"strides", Ints{2, 2}}, {"pads", Ints{0, 1, 2, 1}}}, {{"dilations", Ints{2, 1}}}};
  for (const DType type : types())
    for (Attributes attributes : all)
      for (const int64_t channels : {1, 7, 100}) {
        attributes.set("group", channels);
        for (const std::vector<Post>& posts : std::vector<std::vector<Post>>{{}, {{"HardSwish"}}}) {
          expect_case(conv(rng, type, {2, channels, 9, 11}, {channels, 1, 3, 3}, attributes, posts), "depthwise_half");
          expect_case(conv(rng, type, {1, channels, 66, 40}, {channels, 1, 3, 3}, attributes, posts), "depthwise_half");
        }
      }
  expect_no_case(conv(rng, DType::kF16, {1, 8, 6, 6}, {16, 1, 3, 3}, {{"group", int64_t{8}}}), "depthwise_half");
}

TEST(Half, MaximaOfWindows) {
  std::mt19937 rng(13);
  const float inf = std::numeric_limits<float>::infinity();
  for (const auto& [type, last] : std::vector<std::pair<DType, bool>>{
           {DType::kF16, true}, {DType::kF16, false}, {DType::kBF16, true}, {DType::kBF16, false}})
    for (const int64_t channels : {1, 7, 8, 33, 70}) {
      for (const bool special : {false, true}) {
        Tensor x = random_tensor(rng, DType::kF32, {2, channels, 9, 8});
        if (special)
          for (size_t i = 0; i < 12; ++i)
            x.as_mutable<float>()[i * 7 % static_cast<size_t>(x.size())] = i % 3 == 0   ? inf
                                                                           : i % 3 == 1 ? -inf
                                                                                        : std::nanf("");
        const Tensor narrow = x.cast(type);
        Case c{"MaxPool",
               {last ? channels_last(narrow) : Operand(narrow)},
               {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 1, 1, 0}}}};
        if (last) c.output_layouts = {Layout::channels_last(4)};
        expect_case(c, "pool");
        c.attributes.set("ceil_mode", int64_t{1});
        expect_case(c, "pool");
      }
    }
  for (const DType type : types()) {
    expect_no_case(Case{"AveragePool", {of_type(rng, type, {1, 4, 5, 5})}, {{"kernel_shape", Ints{2, 2}}}}, "pool");
    expect_case(Case{"MaxPool", {Tensor::allocate(type, {0, 4, 5, 5})}, {{"kernel_shape", Ints{2, 2}}}}, "pool");
  }
}

TEST(Half, WhatIsNoNumberStaysSo) {
  std::mt19937 rng(7);
  const float inf = std::numeric_limits<float>::infinity();
  for (const DType type : types())
    for (const float x : {inf, -inf, std::nanf(""), 60000.0f}) {  // sums overflow float16
      Case c = product(rng, type, {20, 37}, 21);
      c.inputs[0].tensor = [&] {
        Tensor wide = c.inputs[0].tensor.cast(DType::kF32);
        wide.as_mutable<float>()[5] = x;
        return wide.cast(type);
      }();
      expect_case(c, "gemm_half");
    }
}

// Each number of float16, the small ones too, in a product that leaves it as it is.
TEST(Half, EveryNumberIsKept) {
  Tensor all = Tensor::allocate(DType::kF16, {1 << 16, 1});
  for (int i = 0; i < 1 << 16; ++i) static_cast<uint16_t*>(all.mutable_data())[i] = static_cast<uint16_t>(i);
  Case c{"MatMul", {all, constant(Tensor::of<float>({1, 1}, {1.0f}).cast(DType::kF16))}};
  expect_case(c, "gemm_half");
}

TEST(Half, KernelsRefuseWhatDoesNotFit) {
  const auto refuses = [](DType x, DType w, DType y, cpu::kernels::HalfWay way, Dims weights) {
    std::vector<Tensor> outputs{Tensor::allocate(y, {1, 16, 1, 1})};
    const Attributes parameters = to_parameters(cpu::kernels::ConvHalfParameters{.way = way});
    return !launch_kernel("conv_half", parameters,
                          {Tensor::allocate(x, {1, 16, 1, 1}), Tensor::allocate(w, std::move(weights)), {}, {}},
                          outputs)
                .ok();
  };
  using cpu::kernels::HalfWay;
  constexpr DType f32 = DType::kF32, f16 = DType::kF16, bf16 = DType::kBF16;
  EXPECT_FALSE(refuses(f16, f16, f16, HalfWay::kProduct, {256}));
  EXPECT_FALSE(refuses(bf16, f32, bf16, HalfWay::kProduct, {256}));
  EXPECT_TRUE(refuses(f32, f32, f32, HalfWay::kProduct, {256}));
  EXPECT_TRUE(refuses(f16, f32, f32, HalfWay::kProduct, {256}));
  EXPECT_TRUE(refuses(f16, f32, bf16, HalfWay::kProduct, {256}));
  EXPECT_TRUE(refuses(f16, f32, f16, HalfWay::kProduct, {255}));
  EXPECT_TRUE(refuses(f16, DType::kI32, f16, HalfWay::kProduct, {256}));
  EXPECT_TRUE(refuses(f16, f16, f16, HalfWay::kDepthwise, {16}));
  EXPECT_TRUE(refuses(f16, f32, f16, HalfWay::kDepthwise, {16}));   // one group
  EXPECT_TRUE(refuses(f16, f32, f16, HalfWay::kMinimal4, {9216}));  // windows of one pixel
}

}  // namespace
}  // namespace kiln::testing
