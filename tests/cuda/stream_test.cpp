// Convolutions and products of many rows on NVIDIA GPUs: more tiles than multiprocessors, with all that can follow, against the reference.
#include <gtest/gtest.h>

#include <algorithm>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kHalves[] = {DType::kF16, DType::kBF16};

bool takes(const NodeCase& c) { return check(c).count("conv_stream") == 1; }

const Tactic& conv_stream_tactic() {
  const TacticList& list = target().tactics();
  return **std::find_if(list.all().begin(), list.all().end(), [](const Tactic* t) { return t->name == "conv_stream"; });
}

TEST(CudaStream, ConvolutionsOfManyPixels) {
  for (DType type : kHalves) {
    EXPECT_TRUE(takes(conv({9, 8, 33, 31}, {24, 8, 3, 3}, type, kSame3x3)));
    EXPECT_TRUE(takes(conv({24, 16, 14, 14}, {136, 16, 1, 1}, type, {}, false)));
    EXPECT_TRUE(takes(conv({33, 72, 33, 33}, {40, 72, 1, 1}, type, {{"strides", Ints{2, 2}}})));
    EXPECT_TRUE(takes(conv({100, 8, 6, 6}, {320, 8, 1, 1}, type, {})));
  }
}

TEST(CudaStream, ResidualsAndActivations) {
  for (DType type : kHalves)
    for (int64_t columns : {64, 200}) {
      NodeCase c = conv({9, 8, 33, 31}, {columns, 8, 1, 1}, type, {});
      for (const char* op : {"Relu", "Swish", "Gelu", "Sigmoid"}) {
        c.post = {post(op, {-1})};
        EXPECT_TRUE(takes(c));
      }
      c.extra = {last({9, columns, 33, 31}, type)};
      c.post = {post("Add", {-1, 0}), post("Relu", {-1})};
      EXPECT_TRUE(takes(c));
      for (const char* op : {"HardSwish", "Tanh"}) {
        c.post = {post(op, {-1}), post("Add", {-1, 0})};
        EXPECT_TRUE(takes(c));
      }
    }
}

TEST(CudaStream, Products) {
  for (DType type : kHalves) {
    NodeCase c{.op = "MatMul", .inputs = {plain({34000, 8}, type), constant({8, 72}, type)}};
    c.extra = {constant({72}, type), plain({34000, 72}, type)};
    c.post = {post("Add", {-1, 0})};
    EXPECT_TRUE(takes(c));
    c.post = {post("Add", {-1, 0}), post("Add", {-1, 1})};
    EXPECT_TRUE(takes(c));
  }
}

// How many configurations leave the activation to further warps.
int64_t count_apart(const NodeCase& c) {
  const BuiltNode node(c);
  const std::vector<Config> configs = conv_stream_tactic().configurations(node.problem());
  return std::count_if(configs.begin(), configs.end(),
                       [](const Config& config) { return config.integer("apart") != 0; });
}

// Large tiles of many terms, several for each block: their activation is done while the next tile is multiplied.
TEST(CudaStream, ActivationsApart) {
  for (const auto& [type, op] : {std::pair{DType::kF16, "Gelu"}, std::pair{DType::kBF16, "Swish"}}) {
    NodeCase c{.op = "MatMul", .inputs = {plain({11300, 968}, type), constant({968, 264}, type)}};
    c.extra = {constant({264}, type)};
    c.post = {post("Add", {-1, 0}), post(op, {-1})};
    EXPECT_EQ(count_apart(c), 2);
    EXPECT_TRUE(takes(c));
  }
}

TEST(CudaStream, OtherActivationsStay) {
  NodeCase c{.op = "MatMul", .inputs = {plain({11300, 968}, DType::kF16), constant({968, 264}, DType::kF16)}};
  c.post = {post("Relu", {-1})};
  EXPECT_EQ(count_apart(c), 0);
  c.extra = {plain({11300, 264}, DType::kF16)};
  c.post = {post("Add", {-1, 0}), post("Gelu", {-1})};
  EXPECT_EQ(count_apart(c), 0);
  NodeCase few{.op = "MatMul", .inputs = {plain({11300, 696}, DType::kF16), constant({696, 264}, DType::kF16)}};
  few.post = {post("Gelu", {-1})};
  EXPECT_EQ(count_apart(few), 0);
}

TEST(CudaStream, RefusesWithAReason) {
  EXPECT_NE(
      refusal(conv({1, 64, 14, 14}, {64, 64, 3, 3}, DType::kF16, kSame3x3), "conv_stream").find("multiprocessors"),
      std::string::npos);
  EXPECT_NE(refusal(conv({128, 64, 14, 14}, {63, 64, 3, 3}, DType::kF16, kSame3x3), "conv_stream").find("63 columns"),
            std::string::npos);
  const NodeCase few{.op = "MatMul", .inputs = {plain({9000, 24}, DType::kF16), constant({24, 72}, DType::kF16)}};
  EXPECT_NE(refusal(few, "conv_stream").find("fewer than two"), std::string::npos);
  NodeCase wide = conv({128, 64, 14, 14}, {64, 64, 3, 3}, DType::kF32, kSame3x3);
  wide.tf32 = true;
  EXPECT_NE(refusal(wide, "conv_stream").find("float32"), std::string::npos);
}

}  // namespace
}  // namespace kiln::cuda::testing
