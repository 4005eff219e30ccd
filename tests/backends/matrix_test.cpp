// Matrix product tactics against the reference.
#include <gtest/gtest.h>

#include "backends/tactic_testing.h"

namespace kiln::tactic_testing {
namespace {

NodeCase matmul(Dims a, Dims b, bool constant_b) {
  NodeCase c;
  c.op = "MatMul";
  c.inputs = {{.dims = std::move(a)}, {.dims = std::move(b), .constant = constant_b}};
  return c;
}

NodeCase gemm(Dims a, Dims b, Dims add, bool constant, Attributes attributes) {
  NodeCase c;
  c.op = "Gemm";
  c.attributes = std::move(attributes);
  c.inputs = {{.dims = std::move(a)},
              {.dims = std::move(b), .constant = constant},
              {.dims = std::move(add), .constant = constant}};
  return c;
}

TEST(ProductTactics, ConstantRightOperand) {
  for (int64_t m : {1, 3, 8, 37})
    for (int64_t n : {1, 10, 65}) {
      EXPECT_TRUE(has(check(matmul({m, 29}, {29, n}, true)), "gemm_packed"));
      EXPECT_TRUE(has(check(matmul({m, 29}, {29, n}, false)), "gemm_batched"));
    }
  EXPECT_EQ(refusal(matmul({3, 29}, {29, 4}, true), "gemm_batched"),
            "b is one constant matrix, packed when the engine is built");
  EXPECT_TRUE(has(check(matmul({2, 3, 5, 7}, {7, 11}, true)), "gemm_packed"));
  EXPECT_TRUE(has(check(matmul({2, 3, 5, 7}, {1, 1, 7, 11}, true)), "gemm_packed"));
  EXPECT_EQ(refusal(matmul({2, 5, 7}, {2, 7, 11}, true), "gemm_packed"), "b has shape [2,7,11], needs one matrix");
}

TEST(ProductTactics, LargeEnoughForThreads) {
  check(matmul({130, 300}, {300, 190}, true));
  check(matmul({1, 1024}, {1024, 300}, true));
  check(matmul({6, 70, 64}, {6, 64, 70}, false));
}

TEST(ProductTactics, BatchesBroadcast) {
  for (const auto& [a, b] : std::vector<std::pair<Dims, Dims>>{{{3, 4, 5}, {3, 5, 6}},
                                                               {{2, 3, 4, 5}, {2, 3, 5, 6}},
                                                               {{2, 3, 4, 5}, {3, 5, 6}},
                                                               {{2, 1, 4, 5}, {1, 3, 5, 6}},
                                                               {{4, 5}, {3, 5, 6}},
                                                               {{2, 3, 4, 5}, {5, 6}},
                                                               {{2, 3, 4, 5}, {2, 1, 5, 6}},
                                                               {{2, 1, 3, 1, 4, 5}, {2, 1, 2, 5, 6}}})
    EXPECT_TRUE(has(check(matmul(a, b, false)), "gemm_batched")) << to_string(a) << to_string(b);
}

TEST(ProductTactics, Vectors) {
  for (bool constant : {true, false}) {
    for (const auto& [a, b] :
         std::vector<std::pair<Dims, Dims>>{{{5}, {5}}, {{5}, {5, 6}}, {{4, 5}, {5}}, {{2, 4, 5}, {5}}}) {
      const Names names = check(matmul(a, b, constant));
      EXPECT_TRUE(has(names, constant ? "gemm_packed" : "gemm_batched")) << to_string(a) << to_string(b);
    }
  }
  check(matmul({5}, {3, 5, 6}, false));
  check(matmul({3, 4, 5}, {5}, false));
}

TEST(ProductTactics, EmptyDimensions) {
  check(matmul({0, 5}, {5, 6}, true));
  check(matmul({4, 0}, {0, 6}, false));
  check(matmul({4, 0}, {0, 6}, true));
  check(matmul({4, 5}, {5, 0}, true));
  check(matmul({0, 4, 5}, {0, 5, 6}, false));
}

TEST(ProductTactics, GemmForms) {
  for (bool constant : {true, false})
    for (int64_t transposed : {0, 1})
      for (const Dims& add : {Dims{11}, Dims{1, 11}, Dims{9, 11}, Dims{9, 1}, Dims{1}, Dims{}}) {
        const Dims b = transposed ? Dims{11, 7} : Dims{7, 11};
        check(gemm({9, 7}, b, add, constant, {{"transB", transposed}}));
      }
  EXPECT_TRUE(has(check(gemm({9, 7}, {11, 7}, {11}, true, {{"transB", int64_t{1}}, {"alpha", 0.5}, {"beta", 2.0}})),
                  "gemm_packed"));
  EXPECT_TRUE(has(check(gemm({9, 7}, {11, 7}, {11}, false, {{"transB", int64_t{1}}})), "gemm_batched"));
  EXPECT_EQ(refusal(gemm({7, 9}, {7, 11}, {11}, true, {{"transA", int64_t{1}}}), "gemm_packed"), "a is transposed");
  NodeCase bare = gemm({9, 7}, {7, 11}, {}, true, {});
  bare.inputs.pop_back();
  EXPECT_TRUE(has(check(bare), "gemm_packed"));
}

TEST(ProductTactics, Epilogues) {
  for (bool constant : {true, false}) {
    NodeCase c = matmul({2, 9, 7}, {7, 33}, constant);
    c.post = {post("Add", {-1, 0}), post("Gelu", {-1}), post("Add", {1, -1})};
    c.extra = {{.dims = {33}, .constant = true}, {.dims = {2, 9, 33}}};
    c.post[2].operands = {1, -1};
    const Names names = check(c);
    EXPECT_EQ(has(names, "gemm_batched"), !constant) << refusal(c, "gemm_batched");
    EXPECT_EQ(has(names, "gemm_packed"), constant) << refusal(c, "gemm_packed");
  }
  NodeCase batched = matmul({3, 9, 7}, {3, 7, 5}, false);
  batched.post = {post("Add", {-1, 0}), post("Relu", {-1})};
  batched.extra = {{.dims = {3, 9, 5}}};
  EXPECT_TRUE(has(check(batched), "gemm_batched"));
  NodeCase run_time_bias = matmul({4, 7}, {7, 5}, true);
  run_time_bias.post = {post("Add", {-1, 0})};
  run_time_bias.extra = {{.dims = {5}}};
  EXPECT_TRUE(has(check(run_time_bias), "gemm_packed"));
}

TEST(ProductTactics, SlicesOfWiderTensors) {
  NodeCase c = matmul({9, 16}, {16, 24}, true);
  c.inputs[0].slack = 3;
  c.output_slack = 5;
  EXPECT_TRUE(has(check(c), "gemm_packed"));
  c.inputs[1].constant = false;
  c.inputs[1].slack = 2;
  EXPECT_TRUE(has(check(c), "gemm_batched"));
}

TEST(ProductTactics, OtherSizesThanTheOptimum) {
  NodeCase c = matmul({4, 12, 16}, {16, 24}, true);
  for (const Dims& dims : {Dims{1, 1, 16}, Dims{9, 40, 16}, Dims{0, 3, 16}}) {
    c.run_dims = {dims, {16, 24}};
    EXPECT_TRUE(has(check(c), "gemm_packed"));
  }
  c = matmul({2, 4, 12, 16}, {2, 4, 16, 12}, false);
  c.run_dims = {{1, 4, 33, 16}, {1, 4, 16, 33}};
  EXPECT_TRUE(has(check(c), "gemm_batched"));
}

}  // namespace
}  // namespace kiln::tactic_testing
