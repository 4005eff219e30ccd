// Products of very many rows on NVIDIA GPUs, two multiprocessors at a time.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kHalves[] = {DType::kF16, DType::kBF16};

NodeCase product(Dims a, int64_t columns, DType type) {
  const int64_t terms = a.back();
  return {.op = "MatMul", .inputs = {plain(std::move(a), type), constant({terms, columns}, type)}};
}

bool takes(const NodeCase& c) { return check(c).count("product_stream") == 1; }

TEST(CudaProductStream, RowsColumnsAndTerms) {
  for (DType type : kHalves) {
    EXPECT_TRUE(takes(product({4200, 192}, 512, type)));
    EXPECT_TRUE(takes(product({3, 6001, 64}, 256, type)));   // one chunk of terms, more tiles than blocks
    EXPECT_TRUE(takes(product({4300, 136}, 264, type)));     // rows, columns and terms that no tile ends with
    EXPECT_TRUE(takes(product({100, 72}, 256 * 66, type)));  // rows of one block of a pair alone
    EXPECT_TRUE(takes(product({4097, 13}, 520, type)));      // terms that are no whole words
  }
}

TEST(CudaProductStream, FewerChunksThanStagesAndManyMore) {
  for (int64_t terms : {64, 128, 192, 256, 320, 640})
    EXPECT_TRUE(takes(product({8500, terms}, 256, DType::kF16))) << terms;
}

TEST(CudaProductStream, BiasResidualAndActivation) {
  for (DType type : kHalves)
    for (int64_t columns : {256, 328}) {
      NodeCase c = product({8500, 72}, columns, type);
      c.extra = {constant({columns}, type), plain({8500, columns}, type)};
      c.post = {post("Add", {-1, 0}), post("Add", {-1, 1})};
      EXPECT_TRUE(takes(c));
      c.post = {post("Add", {-1, 0}), post("Relu", {-1}), post("Add", {-1, 1})};
      EXPECT_TRUE(takes(c));
      c.post = {post("Add", {-1, 0}), post("Gelu", {-1}), post("Add", {-1, 1})};
      EXPECT_TRUE(takes(c));
      c.extra.pop_back();
      for (const char* approximate : {"none", "tanh"}) {
        c.post = {post("Add", {-1, 0}), post("Gelu", {-1}, {{"approximate", std::string(approximate)}})};
        EXPECT_TRUE(takes(c));
      }
    }
}

TEST(CudaProductStream, ConvolutionsOfOnePixel) {
  for (DType type : kHalves) EXPECT_TRUE(takes(conv({30, 128, 17, 17}, {264, 128, 1, 1}, type, {})));
}

TEST(CudaProductStream, Declines) {
  EXPECT_FALSE(takes(product({300, 64}, 256, DType::kF16)));   // too few rows
  EXPECT_FALSE(takes(product({8500, 64}, 252, DType::kF16)));  // results that are no whole words
  NodeCase wide = product({8500, 64}, 256, DType::kF32);
  wide.tolerance = 1e-5;
  EXPECT_FALSE(takes(wide));
  EXPECT_FALSE(takes(conv({30, 32, 17, 17}, {256, 32, 3, 3}, DType::kF16, kSame3x3)));
}

TEST(CudaProductStream, NotANumberStaysInItsRow) {
  NodeCase c = product({8500, 64}, 256, DType::kF16);
  Tensor x = random_tensor(DType::kF16, {8500, 64}, 3);
  x.set(4711 * 64 + 5, static_cast<double>(kNan));
  x.set(17 * 64, static_cast<double>(kInf));
  c.inputs[0].value = x;
  c.post = {post("Gelu", {-1})};
  EXPECT_TRUE(takes(c));
}

}  // namespace
}  // namespace kiln::cuda::testing
