// Products of few rows on NVIDIA GPUs, whose terms lie in shared memory all at once, split over blocks and rows fetched for each other.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kHalves[] = {DType::kF16, DType::kBF16};

NodeCase product(Dims a, int64_t columns, DType type) {
  const int64_t terms = a.back();
  return {.op = "MatMul",
          .inputs = {plain(std::move(a), type), constant({terms, columns}, type)},
          .tf32 = type == DType::kF32,
          .tolerance = type == DType::kF32 ? 1e-3 : 0};
}

bool takes(const NodeCase& c) { return check(c).count("product_wgmma") == 1; }

TEST(CudaWholeProduct, RowsColumnsAndTerms) {
  for (DType type : kFloats) {
    EXPECT_TRUE(takes(product({128, 384}, 256, type)));
    EXPECT_TRUE(takes(product({1, 768}, 64, type)) || type == DType::kF32);
    EXPECT_TRUE(takes(product({2, 17, 256}, 200, type)));  // rows and columns that no tile ends with
    EXPECT_TRUE(takes(product({70, 40}, 7, type)));
    EXPECT_TRUE(takes(product({5, 13}, 130, type)));  // terms that are no whole words
    EXPECT_TRUE(takes(product({0, 64}, 64, type)));
  }
}

TEST(CudaWholeProduct, SplitTerms) {
  for (DType type : kHalves) {
    EXPECT_TRUE(takes(product({65, 3072}, 128, type)));
    EXPECT_TRUE(takes(product({64, 1000}, 192, type)));  // splits of unequal length
  }
}

TEST(CudaWholeProduct, MoreTermsThanThereIsRoomFor) {
  for (DType type : kHalves)
    for (int64_t terms : {832, 1024, 1500, 2048}) {
      EXPECT_TRUE(takes(product({128, terms}, 512, type)));
      EXPECT_TRUE(takes(product({70, terms}, 1088, type)));
    }
  EXPECT_TRUE(takes(product({128, 512}, 512, DType::kF32)));
  EXPECT_TRUE(takes(product({128, 4096}, 1024, DType::kF16)));  // of which a block of a split has more as well
}

TEST(CudaWholeProduct, BiasResidualAndActivation) {
  for (DType type : kHalves)
    for (int64_t columns : {256, 203}) {
      NodeCase c = product({100, 768}, columns, type);
      c.extra = {constant({columns}, type), plain({100, columns}, type)};
      c.post = {post("Add", {-1, 0}), post("Add", {-1, 1})};
      EXPECT_TRUE(takes(c));
      c.post = {post("Add", {-1, 0}), post("Relu", {-1}), post("Add", {-1, 1})};
      EXPECT_TRUE(takes(c));
      c.extra.pop_back();
      for (const char* approximate : {"none", "tanh"}) {
        c.post = {post("Add", {-1, 0}), post("Gelu", {-1}, {{"approximate", std::string(approximate)}})};
        EXPECT_TRUE(takes(c));
      }
    }
}

TEST(CudaWholeProduct, ConvolutionsOfOnePixel) {
  for (DType type : kHalves) {
    EXPECT_TRUE(takes(conv({2, 256, 7, 7}, {128, 256, 1, 1}, type, {})));
    EXPECT_TRUE(takes(conv({1, 24, 9, 5}, {33, 24, 1, 1}, type, {}, false)));
  }
}

TEST(CudaWholeProduct, NotANumberStaysInItsRow) {
  NodeCase c = product({66, 128}, 96, DType::kF16);
  Tensor x = random_tensor(DType::kF16, {66, 128}, 1);
  x.set(5 * 128 + 3, static_cast<double>(kNan));
  x.set(65 * 128, static_cast<double>(kInf));
  c.inputs[0].value = x;
  EXPECT_TRUE(takes(c));
}

TEST(CudaWholeProduct, RefusesWithAReason) {
  const auto reason = [](const NodeCase& c) { return refusal(c, "product_wgmma"); };
  EXPECT_NE(reason(product({40000, 64}, 1024, DType::kF16)).find("40000 rows"), std::string::npos);
  EXPECT_NE(reason(product({8, 100000}, 64, DType::kF16)).find("chunks of terms"), std::string::npos);
  EXPECT_NE(reason(conv({1, 64, 7, 7}, {64, 64, 3, 3}, DType::kF16, kSame3x3)).find("pixels"), std::string::npos);
  EXPECT_NE(reason(conv({1, 64, 7, 7}, {64, 64, 1, 1}, DType::kF16, {{"strides", Ints{2, 2}}})).find("pixels"),
            std::string::npos);
  NodeCase exact = product({64, 64}, 64, DType::kF32);
  exact.tf32 = false;
  EXPECT_NE(reason(exact).find("TF32"), std::string::npos);
  NodeCase computed = product({64, 64}, 64, DType::kF16);
  computed.inputs[1].constant = false;
  EXPECT_NE(reason(computed).find("not constant"), std::string::npos);
}

// A damaged plan is an error, not a launch.
TEST(CudaWholeProduct, ParametersOfAnotherShapeAreRefused) {
  const BuiltNode node(product({64, 768}, 192, DType::kF16));
  const auto list = tactic_list().of("MatMul");
  const auto tactic =
      std::find_if(list.begin(), list.end(), [](const Tactic* t) { return t->name == "product_wgmma"; });
  ASSERT_NE(tactic, list.end());
  Emitted emitted = (*tactic)->emit(node.problem(), {{"splits", int64_t{1}}, {"shares", int64_t{1}}});
  EXPECT_TRUE(prepare_without_gpu(node, emitted, 90).ok());
  emitted.parameters.set("shares", int64_t{2});  // of three column tiles
  EXPECT_EQ(prepare_without_gpu(node, emitted, 90).code, Code::kMalformedPlan);
  emitted.parameters.set("shares", int64_t{3});
  EXPECT_THROW((void)prepare_without_gpu(node, emitted, 90), Error);
  emitted.parameters.set("shares", int64_t{8});
  emitted.parameters.set("splits", int64_t{8});
  EXPECT_THROW((void)prepare_without_gpu(node, emitted, 90), Error);
  emitted.parameters.set("shares", int64_t{1});
  EXPECT_THROW((void)prepare_without_gpu(node, emitted, 80), Error);
}

}  // namespace
}  // namespace kiln::cuda::testing
