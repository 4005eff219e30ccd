// Layer norms of sums of rows of tables on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

Operand absent() { return {.dims = {}, .present = false}; }

// From both ends of a table.
Operand places(const Dims& dims, int64_t extent, DType type, bool is_constant = false) {
  Tensor t = Tensor::allocate(type, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, i * 7 % extent - (i % 3 == 0 ? extent : 0));
  return {.dims = dims, .type = type, .constant = is_constant, .value = t};
}

// All parts are there: those without which a model does are taken away by the tests.
NodeCase sum(DType type, const Dims& rows, int64_t n, DType index = DType::kI64) {
  Dims all = rows;
  all.push_back(n);
  return {.op = "EmbeddingNorm",
          .inputs = {constant({9, n}, type),
                     places(rows, 9, index),
                     constant({n}, type),
                     constant({n}, type),
                     {.dims = all, .type = type},
                     constant({2, n}, type),
                     places(rows, 2, DType::kI32)}};
}

bool takes(const NodeCase& c) { return check(c) == std::set<std::string>{"embedding_norm"}; }

TEST(CudaEmbeddingNorm, LengthsAndTypes) {
  for (DType type : kFloats)
    for (int64_t n : {1, 5, 64, 100, 768, 1024, 1032, 3000})
      for (DType index : {DType::kI32, DType::kI64}) EXPECT_TRUE(takes(sum(type, {2, 3}, n, index)));
  EXPECT_TRUE(takes(sum(DType::kF16, {8, 128}, 768)));
  EXPECT_TRUE(takes(sum(DType::kF16, {0, 128}, 768)));
}

TEST(CudaEmbeddingNorm, PartsMayBeAbsentOrRepeat) {
  for (DType type : {DType::kF32, DType::kF16}) {
    NodeCase c = sum(type, {4, 6}, 40);
    c.inputs[3] = absent();
    EXPECT_TRUE(takes(c));
    c.inputs[5] = c.inputs[6] = absent();
    EXPECT_TRUE(takes(c));
    c.inputs[4] = constant({1, 6, 40}, type);
    EXPECT_TRUE(takes(c));
    c.inputs[4] = constant({40}, type);
    EXPECT_TRUE(takes(c));
    c.inputs[4] = absent();
    EXPECT_TRUE(takes(c));
    c.inputs[5] = constant({2, 40}, type);
    c.inputs[6] = places({6}, 2, DType::kI64, true);
    EXPECT_TRUE(takes(c));
    std::swap(c.inputs[1], c.inputs[6]);
    std::swap(c.inputs[0], c.inputs[5]);
    EXPECT_TRUE(takes(c));
  }
}

TEST(CudaEmbeddingNorm, WhatIsNotFiniteStaysSo) {
  for (float odd : {kNan, kInf}) {
    NodeCase c = sum(DType::kF32, {2, 3}, 64);
    Tensor added = random_tensor(DType::kF32, {2, 3, 64}, 1);
    added.set(70, odd);
    c.inputs[4].value = added;
    EXPECT_TRUE(takes(c));
  }
}

TEST(CudaEmbeddingNorm, RefusesWithAReason) {
  EXPECT_EQ(refusal(sum(DType::kF64, {2, 3}, 64), "embedding_norm"),
            "elements of type float64, needs float32, float16 or bfloat16");
}

}  // namespace
}  // namespace kiln::cuda::testing
