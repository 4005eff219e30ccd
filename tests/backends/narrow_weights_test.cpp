// Products and convolutions by weights that are kept in 16 bits.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/harness.h"

namespace kiln::testing {
namespace {

constexpr DType kHalves[] = {DType::kF16, DType::kBF16};

// Numbers that the type holds, so that only the order of the sums differs from the reference.
Operand weights_of(std::mt19937& rng, DType type, Dims dims) {
  return constant(random_tensor(rng, DType::kF32, std::move(dims)).cast(type).cast(DType::kF32));
}

Case narrow_product(std::mt19937& rng, DType type, Dims a, int64_t n, std::vector<Post> posts = {}) {
  const int64_t k = a.back();
  Case c{"MatMul", {random_tensor(rng, DType::kF32, std::move(a)), weights_of(rng, type, {k, n})}};
  c.posts = std::move(posts);
  c.tolerance = 2e-4;
  c.keeps = type;
  return c;
}

TEST(NarrowWeights, Products) {
  std::mt19937 rng(1);
  for (const DType type : kHalves)
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                     {1, 67, 130},
                                                                     {1, 5000, 33},
                                                                     {2, 700, 65},
                                                                     {6, 1031, 48},
                                                                     {7, 13, 21},
                                                                     {64, 33, 64},
                                                                     {50, 2100, 79},
                                                                     {0, 4, 5},
                                                                     {5, 0, 3},
                                                                     {5, 3, 0}}) {
      const Operand bias = constant(random_tensor(rng, DType::kF32, {n}));
      const Operand like(random_tensor(rng, DType::kF32, {m, n}));
      const Post sum{"Add", {}, {0, -1}, {like}}, biased{"Add", {}, {-1, 0}, {bias}};
      expect_case(narrow_product(rng, type, {m, k}, n), "gemm_narrow");
      expect_case(narrow_product(rng, type, {m, k}, n, {biased, {"Relu"}}), "gemm_narrow");
      expect_case(narrow_product(rng, type, {m, k}, n, {biased, {"Gelu"}, sum}), "gemm_narrow");
    }
}

TEST(NarrowWeights, OtherShapes) {
  std::mt19937 rng(2);
  for (const DType type : kHalves) {
    expect_case(narrow_product(rng, type, {2, 3, 40}, 24), "gemm_narrow");
    expect_case(narrow_product(rng, type, {40}, 24), "gemm_narrow");
    for (const int64_t m : {1, 3, 40}) {
      Case gaps = narrow_product(rng, type, {m, 41}, 24);
      gaps.inputs[0].gaps = true;
      gaps.gapped_outputs = true;
      expect_case(gaps, "gemm_narrow");
      Case turned{"Gemm",
                  {random_tensor(rng, DType::kF32, {m, 41}), weights_of(rng, type, {70, 41}),
                   constant(random_tensor(rng, DType::kF32, {70}))},
                  {{"transB", int64_t{1}}}};
      turned.keeps = type;
      turned.tolerance = 2e-4;
      expect_case(turned, "gemm_narrow");
      turned.attributes.set("alpha", 0.5);
      expect_no_case(turned, "gemm_narrow");
    }
    Case vector = narrow_product(rng, type, {9, 40}, 1);
    vector.inputs[1] = weights_of(rng, type, {40});
    expect_case(vector, "gemm_narrow");
    Case late = narrow_product(rng, type, {3, 40}, 24);
    late.inputs[1].constant = false;
    expect_no_case(late, "gemm_narrow");
    Case wide = narrow_product(rng, type, {3, 40}, 24);
    wide.keeps = DType::kInvalid;
    expect_no_case(wide, "gemm_narrow");
    expect_case(wide, "gemm_packed");
  }
}

TEST(NarrowWeights, RowsWhoseNumberOnlyRunningTells) {
  std::mt19937 rng(3);
  for (const DType type : kHalves)
    for (const int64_t m : {0, 1, 2, 9, 300}) {
      Case c = narrow_product(rng, type, {m, 600}, 70);
      c.inputs[0] = dynamic(c.inputs[0].tensor, {Dim::symbol("rows"), Dim(600)});
      expect_case(c, "gemm_narrow");
    }
}

// Each number of a type, in a product that leaves it as it is: by one row and by several.
TEST(NarrowWeights, EveryNumberIsWidenedExactly) {
  for (const DType type : kHalves) {
    Tensor all = Tensor::allocate(type, {1, 1 << 16});
    for (int i = 0; i < 1 << 16; ++i) static_cast<uint16_t*>(all.mutable_data())[i] = static_cast<uint16_t>(i);
    if (type == DType::kBF16)  // numbers below the normal ones of float32 are zero in its products, too
      for (int i = 0; i < 1 << 16; ++i)
        if ((i & 0x7F80) == 0) static_cast<uint16_t*>(all.mutable_data())[i] = 0;
    for (const int64_t m : {1, 3}) {
      Case c{
          "MatMul",
          {Tensor::of<float>({m, 1}, std::vector<float>(static_cast<size_t>(m), 1)), constant(all.cast(DType::kF32))}};
      c.keeps = type;
      expect_case(c, "gemm_narrow");
    }
  }
}

TEST(NarrowWeights, WhatIsNoNumberStaysSo) {
  std::mt19937 rng(4);
  const float inf = std::numeric_limits<float>::infinity();
  for (const DType type : kHalves)
    for (const int64_t m : {1, 4, 20})
      for (const float x : {inf, -inf, std::nanf("")}) {
        Case c = narrow_product(rng, type, {m, 37}, 21);
        c.inputs[0].tensor.as_mutable<float>()[5] = x;
        expect_case(c, "gemm_narrow");
        Case weights = narrow_product(rng, type, {m, 37}, 21);
        weights.inputs[1].tensor.as_mutable<float>()[25] = x;
        expect_case(weights, "gemm_narrow");
      }
}

Case narrow_conv(std::mt19937& rng, DType type, Dims x, Dims w, Attributes attributes, std::vector<Post> posts = {}) {
  const Dims columns{w[0]};
  Case c{"Conv",
         {channels_last(random_tensor(rng, DType::kF32, std::move(x))), weights_of(rng, type, std::move(w)),
          constant(random_tensor(rng, DType::kF32, columns))},
         std::move(attributes)};
  c.posts = std::move(posts);
  c.output_layouts = {Layout::channels_last(4)};
  c.tolerance = 2e-4;
  c.keeps = type;
  return c;
}

TEST(NarrowWeights, Convolutions) {
  std::mt19937 rng(5);
  const Attributes padded{{"pads", Ints{1, 1, 1, 1}}}, strided{{"strides", Ints{2, 2}}};
  const Attributes late{{"dilations", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}};
  for (const DType type : kHalves) {
    const Operand like = channels_last(random_tensor(rng, DType::kF32, {2, 24, 5, 7}));
    const Post sum{"Add", {}, {0, -1}, {like}};
    const auto expect = [&](Dims x, Dims w, const Attributes& attributes, std::vector<Post> posts = {}) {
      expect_case(narrow_conv(rng, type, std::move(x), std::move(w), attributes, std::move(posts)), "conv_narrow");
    };
    expect({2, 16, 5, 7}, {24, 16, 1, 1}, {}, {sum, {"Relu"}});
    expect({2, 15, 5, 7}, {24, 15, 3, 3}, padded, {{"Relu"}, sum});
    expect({1, 7, 9, 7}, {70, 7, 1, 1}, strided);
    expect({1, 5, 8, 8}, {4, 5, 3, 3}, late);
    expect({1, 3, 30, 31}, {33, 3, 7, 7}, {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}});
    expect({1, 12, 6, 6}, {20, 3, 3, 3}, {{"group", int64_t{4}}, {"pads", Ints{0, 1, 2, 1}}});
    expect({3, 64, 14, 14}, {64, 8, 3, 3}, {{"group", int64_t{8}}});
    expect({1, 520, 3, 3}, {130, 520, 3, 3}, padded);
    expect({1, 40, 1, 1}, {70, 40, 1, 1}, {}, {{"Sigmoid"}});
    expect({0, 8, 6, 6}, {4, 8, 1, 1}, {});
    Case unbiased = narrow_conv(rng, type, {1, 64, 14, 14}, {130, 64, 3, 3}, padded);
    unbiased.inputs.pop_back();
    expect_case(unbiased, "conv_narrow");
    Case line = narrow_conv(rng, type, {2, 24, 9, 9}, {10, 24, 3, 3}, padded);
    line.keeps = DType::kInvalid;
    expect_no_case(line, "conv_narrow");
    line.keeps = type;
    line.inputs[1].constant = false;
    expect_no_case(line, "conv_narrow");
  }
}

TEST(NarrowWeights, KernelsRefuseOtherTypes) {
  for (const DType type : {DType::kI8, DType::kI32, DType::kF64}) {
    std::vector<Tensor> outputs{Tensor::allocate(DType::kF32, {2, 16})};
    const Tensor weights = Tensor::allocate(type, {cpu::packed_b_floats(3, 16)});
    const Attributes parameters = to_parameters(cpu::kernels::GemmPackedParameters{.n = 16});
    EXPECT_FALSE(
        launch_kernel("gemm_packed", parameters, {Tensor::allocate(DType::kF32, {2, 3}), weights, {}, {}}, outputs)
            .ok());
  }
}

}  // namespace
}  // namespace kiln::testing
