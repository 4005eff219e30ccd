// Products of few rows on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

bool takes(const NodeCase& c) { return check(c).count("skinny") == 1; }

TEST(CudaSkinny, ProductsOfAnySize) {
  for (DType type : kFloats)
    for (const Dims& a : {Dims{1, 2048}, Dims{8, 96}, Dims{3, 3, 17}, Dims{64, 5}, Dims{9, 1}})
      for (int64_t columns : {1, 30, 1000}) {
        NodeCase c{.op = "MatMul", .inputs = {plain(a, type), constant({a.back(), columns}, type)}};
        EXPECT_TRUE(takes(c));
        c.post = {post("Add", {-1, 0}), post("HardSwish", {-1})};
        c.extra = {constant({columns}, type)};
        EXPECT_TRUE(takes(c));
      }
}

TEST(CudaSkinny, GemmWithEverything) {
  for (DType type : kFloats) {
    NodeCase c{.op = "Gemm",
               .attributes = {{"transB", int64_t{1}}, {"beta", 0.5}},
               .inputs = {plain({7, 1100}, type), constant({24, 1100}, type), constant({24}, type)}};
    c.post = {post("Add", {-1, 0}), post("Relu", {-1})};
    c.extra = {plain({7, 24}, type)};
    EXPECT_TRUE(takes(c));
  }
}

TEST(CudaSkinny, ImagesOfOnePixel) {
  for (DType type : kFloats) {
    NodeCase c = conv({8, 120, 1, 1}, {32, 120, 1, 1}, type, {});
    c.post = {post("Relu", {-1})};
    EXPECT_TRUE(takes(c));
    EXPECT_TRUE(takes(conv({2, 33, 3, 4}, {10, 33, 1, 1}, type, {})));
    EXPECT_TRUE(takes(conv({0, 33, 3, 4}, {10, 33, 1, 1}, type, {})));
  }
}

TEST(CudaSkinny, RefusesWithAReason) {
  EXPECT_NE(refusal(conv({1, 8, 9, 9}, {8, 8, 1, 1}, DType::kF16, {}), "skinny").find("81 rows"), std::string::npos);
  EXPECT_NE(refusal(conv({1, 8, 4, 4}, {8, 8, 3, 3}, DType::kF16, kSame3x3), "skinny").find("pixels"),
            std::string::npos);
  EXPECT_NE(refusal(conv({1, 8, 4, 4}, {8, 8, 1, 1}, DType::kF16, {{"strides", Ints{2, 2}}}), "skinny").find("pixels"),
            std::string::npos);
  EXPECT_NE(refusal(conv({1, 8, 4, 4}, {8, 4, 1, 1}, DType::kF16, {{"group", int64_t{2}}}), "skinny").find("2 groups"),
            std::string::npos);
}

}  // namespace
}  // namespace kiln::cuda::testing
