// Attention on NVIDIA GPUs: short and long sequences, slices as operands, masks, heads of every size.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cuda/node_check.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kNarrow[] = {DType::kF16, DType::kBF16};

Operand heads(Dims dims, DType type) { return {.dims = std::move(dims), .type = type}; }

NodeCase joined(DType type, int64_t batch, int64_t queries, int64_t keys, int64_t q_heads, int64_t kv_heads,
                int64_t size, int64_t value_size) {
  return {.op = "Attention",
          .attributes = {{"q_num_heads", q_heads}, {"kv_num_heads", kv_heads}},
          .inputs = {heads({batch, queries, q_heads * size}, type), heads({batch, keys, kv_heads * size}, type),
                     heads({batch, keys, kv_heads * value_size}, type)},
          .tolerance = type == DType::kF32 ? 2e-5 : 0};
}

// The first key of every query is allowed, so that no row of the softmax is empty.
Operand mask(DType type, Dims dims, unsigned seed) {
  Tensor t = random_tensor(type, dims, seed);
  const int64_t keys = dims.back();
  for (int64_t i = 0; i < t.size(); i += keys) t.set(i, 1);
  return {.dims = std::move(dims), .type = type, .value = t};
}

TEST(CudaAttention, SequencesAroundTheBlocks) {
  for (DType type : kNarrow)
    for (int64_t keys : {1, 31, 32, 33, 64, 128, 197, 256, 257, 300, 512, 513})
      EXPECT_EQ(check(joined(type, 2, 19, keys, 3, 3, 64, 64)), std::set<std::string>{"attention"}) << keys;
}

TEST(CudaAttention, ManyQueries) {
  for (DType type : kNarrow) {
    check(joined(type, 1, 128, 128, 6, 6, 64, 64));
    check(joined(type, 1, 200, 530, 1, 1, 64, 64));
    check(joined(type, 1, 197, 197, 4, 4, 64, 64));
    check(joined(type, 24, 2, 70, 12, 12, 64, 64));  // more heads than blocks
  }
}

TEST(CudaAttention, HeadSizes) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16})
    for (int64_t size : {8, 24, 32, 40, 64, 72, 128, 136, 192, 256, 264}) {
      check(joined(type, 1, 20, 50, 2, 2, size, size));
      check(joined(type, 1, 20, 530, 1, 1, size, 64));
    }
}

TEST(CudaAttention, SharedKeys) {
  for (DType type : kNarrow) {
    check(joined(type, 2, 33, 65, 6, 2, 64, 32));
    check(joined(type, 1, 40, 600, 4, 1, 128, 128));
  }
}

TEST(CudaAttention, Causal) {
  for (DType type : kNarrow)
    for (int64_t keys : {7, 100, 256, 400, 530}) {
      NodeCase c = joined(type, 1, keys, keys, 1, 1, 32, 32);
      c.attributes.set("is_causal", int64_t{1});
      check(c);
    }
}

TEST(CudaAttention, MasksOfEveryShape) {
  for (DType type : kNarrow)
    for (DType of : {DType::kBool, DType::kF32, type})
      for (const Dims& dims : {Dims{2, 1, 1, 70}, Dims{1, 3, 40, 70}, Dims{2, 3, 40, 70}, Dims{40, 70}}) {
        NodeCase c = joined(type, 2, 40, 70, 3, 3, 32, 32);
        c.inputs.push_back(mask(of, dims, 5));
        if (of != type && of != DType::kBool && of != DType::kF32) continue;
        EXPECT_EQ(check(c), std::set<std::string>{"attention"}) << to_string(dims);
      }
}

TEST(CudaAttention, MasksThatRepeatOverBatches) {
  for (DType type : {DType::kF32, DType::kF16})
    for (int64_t batch : {3, 12}) {
      NodeCase c = joined(type, batch, 49, 49, 4, 4, 32, 32);
      c.attributes.set("mask_period", int64_t{3});
      c.inputs.push_back(mask(type, {3, 4, 49, 49}, 5));
      EXPECT_EQ(check(c), std::set<std::string>{"attention"}) << batch;
    }
}

TEST(CudaAttention, ManyHeadsThatShareAMaskAmongQueries) {
  for (DType type : kNarrow)
    for (DType of : {DType::kBool, DType::kF32, type})
      for (int64_t size : {32, 64, 128}) {
        NodeCase c = joined(type, 25, 1, 70, 12, 6, size, size);
        c.inputs.push_back(mask(of, {25, 1, 1, 70}, 11));
        check(c);
      }
}

TEST(CudaAttention, ManyHeadsWithMasksThatRepeat) {
  NodeCase c = joined(DType::kF16, 8, 130, 70, 3, 3, 32, 32);
  c.attributes.set("mask_period", int64_t{4});
  c.inputs.push_back(mask(DType::kF16, {4, 3, 1, 70}, 11));
  check(c);
}

TEST(CudaAttention, ManyHeadsCausal) {
  for (DType type : kNarrow)
    for (int64_t keys : {70, 130, 320}) {
      NodeCase c = joined(type, 2, 300, keys, 2, 2, 16, 24);
      c.attributes.set("is_causal", int64_t{1});
      check(c);
    }
}

TEST(CudaAttention, ValuesWiderAndNarrowerThanKeys) {
  for (const auto& [size, values] : {std::pair{64, 128}, {128, 64}, {8, 72}})
    check(joined(DType::kF16, 3, 129, 65, 4, 4, size, values));
}

TEST(CudaAttention, NothingAllowedIsNotANumber) {
  for (DType type : {DType::kF32, DType::kF16}) {
    NodeCase c = joined(type, 1, 4, 40, 2, 2, 16, 16);
    Tensor none = Tensor::allocate(DType::kBool, {4, 40});
    for (int64_t i = 0; i < none.size(); ++i) none.set(i, i >= 40 && i % 40 == 35);
    c.inputs.push_back({.dims = {4, 40}, .type = DType::kBool, .value = none});
    check(c);
  }
}

// As sequences that are padded throughout have them: all keys weigh alike.
TEST(CudaAttention, RowsOfTheLowestNumber) {
  for (DType type : {DType::kF32, DType::kF16})
    for (const auto& [batch, queries, heads] : {std::tuple{2, 5, 2}, {25, 130, 12}})
      for (double other : {double{std::numeric_limits<float>::lowest()}, -HUGE_VAL, 0.0}) {
        NodeCase c = joined(type, batch, queries, 70, heads, heads, 64, 64);
        Tensor lowest = Tensor::allocate(DType::kF32, {batch, 1, 1, 70});
        for (int64_t i = 0; i < lowest.size(); ++i)
          lowest.set(i, i % 3 == 0 ? other : std::numeric_limits<float>::lowest());
        c.inputs.push_back({.dims = lowest.dims(), .type = DType::kF32, .value = lowest});
        check(c);
      }
}

TEST(CudaAttention, ScaleOfNoughtAndBelow) {
  for (double scale : {0.0, -0.5}) {
    NodeCase c = joined(DType::kF16, 1, 20, 40, 2, 2, 64, 64);
    c.attributes.set("scale", scale);
    c.inputs.push_back(mask(DType::kF16, {20, 40}, 7));
    check(c);
  }
}

TEST(CudaAttention, NoQueriesAndNoBatch) {
  check(joined(DType::kF16, 2, 0, 40, 2, 2, 64, 64));
  check(joined(DType::kF16, 0, 8, 40, 2, 2, 64, 64));
}

TEST(CudaRotary, PairsPositionsAndShapes) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16})
    for (int64_t interleaved : {0, 1})
      for (int64_t rotated : {0, 4}) {
        const int64_t half = rotated == 0 ? 4 : 2;
        const Attributes a{{"interleaved", interleaved},
                           {"rotary_embedding_dim", rotated},
                           {"num_heads", int64_t{rotated > 0 ? 3 : 0}}};
        const Operand angles = heads({9, half}, type);
        Tensor ids = Tensor::of<int64_t>({2, 5}, {0, 8, 3, 3, 1, 7, 2, 5, 4, 6});
        const Operand places{.dims = {2, 5}, .type = DType::kI64, .value = ids};
        EXPECT_EQ(check({.op = "RotaryEmbedding",
                         .attributes = a,
                         .inputs = {heads({2, 3, 5, 8}, type), angles, angles, places}}),
                  std::set<std::string>{"rotary"});
        if (rotated == 0) continue;
        const Operand own = heads({2, 5, half}, type);
        check({.op = "RotaryEmbedding", .attributes = a, .inputs = {heads({2, 5, 24}, type), own, own}});
      }
}

}  // namespace
}  // namespace kiln::cuda::testing
