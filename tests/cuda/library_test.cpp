// Products by cuBLASLt. Where the library is not installed its tactic declines, and says so.
#include <gtest/gtest.h>

#include "backends/cuda/device/cublas_lt.h"
#include "cuda/node_check.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kF64};

Operand given(Dims dims, DType type) { return {.dims = std::move(dims), .type = type}; }
Operand weights(Dims dims, DType type) { return {.dims = std::move(dims), .type = type, .constant = true}; }
Operand pixels(Dims dims, DType type) {
  return {.dims = std::move(dims), .type = type, .layout = Layout::channels_last(4)};
}

class CudaLibrary : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    if (!find_cublas_lt(reason)) GTEST_SKIP() << reason;
  }
  static void expect_taken(const NodeCase& c) { EXPECT_TRUE(check(c).count("cublaslt")); }
};

TEST_F(CudaLibrary, ConstantRightOperand) {
  for (DType type : kFloats)
    for (const Dims& a : {Dims{1, 768}, Dims{2, 17, 256}, Dims{128, 40}, Dims{0, 16}}) {
      NodeCase c{.op = "MatMul", .inputs = {given(a, type), weights({a.back(), 200}, type)}};
      expect_taken(c);
      c.op = "Gemm";
      if (a.size() > 2) continue;
      c.attributes = {{"transB", int64_t{1}}, {"alpha", 0.5}};
      c.inputs[1] = weights({200, a.back()}, type);
      expect_taken(c);
    }
}

TEST_F(CudaLibrary, Epilogues) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16})
    for (const char* activation : {"", "Relu", "Gelu", "Tanh"})
      for (int sum : {0, 1, 2}) {  // none, before and after the activation
        NodeCase c{.op = "MatMul", .inputs = {given({3, 35, 64}, type), weights({64, 96}, type)}};
        c.post = {post("Add", {-1, 0})};
        c.extra = {weights({96}, type)};
        if (sum > 0) c.extra.push_back(given({3, 35, 96}, type));
        if (sum == 1) c.post.push_back(post("Add", {-1, 1}));
        if (*activation) c.post.push_back(post(activation, {-1}));
        if (sum == 2 && *activation) c.post.push_back(post("Add", {-1, 1}));
        else if (sum == 2) continue;
        expect_taken(c);
      }
  NodeCase tanh{.op = "MatMul", .inputs = {given({9, 64}, DType::kF16), weights({64, 32}, DType::kF16)}};
  tanh.post = {post("Gelu", {-1}, {{"approximate", std::string("tanh")}})};
  expect_taken(tanh);
}

TEST_F(CudaLibrary, RunTimeOperandsAndBatches) {
  for (DType type : kFloats) {
    expect_taken({.op = "MatMul", .inputs = {given({2, 3, 17, 32}, type), given({2, 3, 32, 24}, type)}});
    expect_taken({.op = "MatMul", .inputs = {given({2, 3, 17, 32}, type), given({32, 24}, type)}});
    expect_taken({.op = "MatMul", .inputs = {given({17, 32}, type), given({5, 32, 24}, type)}});
    expect_taken({.op = "Gemm",
                  .attributes = {{"transA", int64_t{1}}, {"transB", int64_t{1}}},
                  .inputs = {given({32, 24}, type), given({16, 32}, type)}});
  }
}

TEST_F(CudaLibrary, ConvolutionsThatAreProducts) {
  for (DType type : {DType::kF16, DType::kBF16})
    for (int64_t size : {1, 7}) {
      NodeCase c{.op = "Conv",
                 .inputs = {pixels({2, 64, size, 5}, type), weights({72, 64, 1, 1}, type), weights({72}, type)},
                 .output_layout = Layout::channels_last(4)};
      c.post = {post("Add", {-1, 0}), post("Relu", {-1})};
      c.extra = {pixels({2, 72, size, 5}, type)};
      expect_taken(c);
    }
}

TEST_F(CudaLibrary, Tf32) {
  NodeCase c{.op = "MatMul", .inputs = {given({40, 36}, DType::kF32), weights({36, 64}, DType::kF32)}};
  c.tf32 = true;
  c.tolerance = 1e-3;
  expect_taken(c);
}

TEST_F(CudaLibrary, RefusesWithAReason) {
  EXPECT_EQ(
      refusal({.op = "MatMul", .inputs = {given({4, 9}, DType::kF16), weights({9, 16}, DType::kF16)}}, "cublaslt"),
      "9 terms are no whole words of 16 bytes");
  EXPECT_EQ(refusal({.op = "MatMul", .inputs = {given({2, 1, 4, 8}, DType::kF16), given({3, 8, 16}, DType::kF16)}},
                    "cublaslt"),
            "the batches [2,1,4,8] and [3,8,16] differ");
  EXPECT_EQ(refusal({.op = "MatMul", .inputs = {given({4, 8}, DType::kI32), given({8, 8}, DType::kI32)}}, "cublaslt"),
            "elements of type int32");
}

}  // namespace
}  // namespace kiln::cuda::testing
