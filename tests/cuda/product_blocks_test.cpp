// Products by weights of few bits in blocks on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include <array>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kCodes[] = {DType::kI4, DType::kU4, DType::kI8, DType::kU8};

Operand codes(DType type, Dims dims, unsigned seed) {
  Tensor t = Tensor::allocate(type, dims);
  const int64_t least = is_signed_integer(type) ? -(int64_t{1} << (bits(type) - 1)) : 0;
  uint32_t state = seed * 2654435761u + 1;
  for (int64_t i = 0; i < t.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    t.set_int(i, least + static_cast<int64_t>(state >> (32 - bits(type))));
  }
  return {.dims = std::move(dims), .type = type, .constant = true, .value = std::move(t)};
}

NodeCase blocks_case(DType type, DType code, Dims a, int64_t n, int64_t block, bool zeros) {
  const int64_t k = a.back();
  const Dims parameters{(k + block - 1) / block, n};
  NodeCase c{.op = "MatMulDequantized",
             .attributes = {{"block_size", block}},
             .inputs = {plain(std::move(a), type), codes(code, {k, n}, 1), constant(parameters, DType::kF32)}};
  if (zeros) c.inputs.push_back(codes(code, parameters, 2));
  return c;
}

bool takes(const NodeCase& c) { return check(c) == std::set<std::string>{"product_blocks"}; }

TEST(CudaBlocks, ProductsOfAnySize) {
  for (DType type : kFloats)
    for (DType code : kCodes)
      for (bool zeros : {false, true})
        for (const auto& [k, n, block] : std::vector<std::array<int64_t, 3>>{
                 {1, 1, 1}, {32, 64, 16}, {256, 130, 32}, {130, 17, 128}, {33, 150, 5}, {64, 48, 100}, {1000, 40, 64}})
          EXPECT_TRUE(takes(blocks_case(type, code, {3, k}, n, block, zeros)));
}

TEST(CudaBlocks, RowsOfAnyNumber) {
  for (DType type : kFloats)
    for (const Dims& a : {Dims{1, 512}, Dims{8, 512}, Dims{2, 20, 512}, Dims{1, 1, 130, 512}, Dims{0, 512}})
      for (DType code : {DType::kU4, DType::kI8}) EXPECT_TRUE(takes(blocks_case(type, code, a, 144, 32, true)));
}

// Weights are small beside the middle of their type, and rows cancel: nothing larger may be summed on the way.
TEST(CudaBlocks, SmallWeightsOfLargeNumbers) {
  for (DType type : kFloats)
    for (DType code : kCodes) {
      NodeCase c = blocks_case(type, code, {5, 256}, 40, 64, false);
      Tensor a = Tensor::allocate(type, {5, 256}), b = Tensor::allocate(code, {256, 40}),
             zeros = Tensor::allocate(code, {4, 40});
      const int64_t middle = is_signed_integer(code) ? 0 : int64_t{1} << (bits(code) - 1);
      for (int64_t i = 0; i < a.size(); ++i) a.set(i, 1000 + static_cast<double>(i % 7) / 8);
      for (int64_t i = 0; i < b.size(); ++i) b.set_int(i, middle + (i / 40 % 2 ? 1 : -1));
      for (int64_t i = 0; i < zeros.size(); ++i) zeros.set_int(i, middle);
      c.inputs[0].value = a;
      c.inputs[1].value = b;
      c.inputs.push_back({.dims = {4, 40}, .type = code, .constant = true, .value = zeros});
      EXPECT_TRUE(takes(c));
    }
}

TEST(CudaBlocks, WhatIsNoNumber) {
  for (DType type : kFloats)
    for (float odd : {kNan, kInf, -kInf}) {
      NodeCase c = blocks_case(type, DType::kU4, {9, 96}, 20, 32, true);
      Tensor a = random_tensor(type, {9, 96}, 7);
      a.set(3 * 96 + 50, static_cast<double>(odd));
      c.inputs[0].value = a;
      c.inputs[1] = codes(DType::kU4, {96, 20}, 3);
      for (int64_t i = 0; i < c.inputs[3].value->size(); ++i) c.inputs[3].value->set_int(i, 0);
      for (int64_t i = 0; i < c.inputs[1].value->size(); ++i)
        if (c.inputs[1].value->int_at(i) == 0) c.inputs[1].value->set_int(i, 1);
      EXPECT_TRUE(takes(c));
    }
}

TEST(CudaBlocks, RefusesWithAReason) {
  NodeCase c = blocks_case(DType::kF16, DType::kU4, {2, 64}, 8, 32, false);
  c.inputs[2].constant = false;
  EXPECT_EQ(refusal(c, "product_blocks"), "a parameter is not constant");
}

}  // namespace
}  // namespace kiln::cuda::testing
