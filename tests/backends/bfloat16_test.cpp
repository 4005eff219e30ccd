// Products of bfloat16 with sums in float32.
#include <gtest/gtest.h>

#include <limits>

#include "backends/harness.h"

namespace kiln::testing {
namespace {

Case bfloat_case(std::mt19937& rng, Dims a, int64_t n, std::vector<Post> posts = {}) {
  const int64_t k = a.back();
  Case c{"MatMulBfloat16",
         {random_tensor(rng, DType::kF32, std::move(a)),
          constant(random_tensor(rng, DType::kF32, {k, n}).cast(DType::kBF16))}};
  c.posts = std::move(posts);
  c.tolerance = 1e-4;
  return c;
}

TEST(Bfloat16, Products) {
  std::mt19937 rng(1);
  for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 1}, {7, 13, 21}, {1, 64, 130}, {64, 33, 64}, {50, 100, 79}, {0, 4, 5}, {5, 0, 3}}) {
    const Operand bias = constant(random_tensor(rng, DType::kF32, {n}));
    const Operand like(random_tensor(rng, DType::kF32, {m, n}));
    const Post sum{"Add", {}, {0, -1}, {like}}, biased{"Add", {}, {-1, 0}, {bias}};
    expect_case(bfloat_case(rng, {m, k}, n), "gemm_bfloat16");
    expect_case(bfloat_case(rng, {m, k}, n, {biased, {"Relu"}}), "gemm_bfloat16");
    expect_case(bfloat_case(rng, {m, k}, n, {biased, sum}), "gemm_bfloat16");
  }
}

TEST(Bfloat16, OtherShapes) {
  std::mt19937 rng(2);
  expect_case(bfloat_case(rng, {2, 3, 40}, 24), "gemm_bfloat16");
  Case gaps = bfloat_case(rng, {3, 41}, 24);
  gaps.inputs[0].gaps = true;
  gaps.gapped_outputs = true;
  expect_case(gaps, "gemm_bfloat16");
  Case late = bfloat_case(rng, {3, 40}, 24);
  late.inputs[1].constant = false;
  expect_no_case(late, "gemm_bfloat16");
  expect_no_case(bfloat_case(rng, {3, 40}, 24, {{"Sigmoid"}}), "gemm_bfloat16");
}

// What lies halfway goes to the even neighbour; what is no number stays so.
TEST(Bfloat16, RoundsToNearest) {
  const float inf = std::numeric_limits<float>::infinity();
  for (float x : {1.00390625f, 1.01171875f, 1.00390637f, 3.3e38f, 1e-30f, -0.0f, inf, std::nanf("")}) {
    Case c{"MatMulBfloat16",
           {Tensor::of<float>({1, 3}, {x, 0, 0}), constant(Tensor::of<float>({3, 1}, {1, 0, 0}).cast(DType::kBF16))}};
    c.tolerance = 1e-7;
    expect_case(c, "gemm_bfloat16");
  }
}

}  // namespace
}  // namespace kiln::testing
