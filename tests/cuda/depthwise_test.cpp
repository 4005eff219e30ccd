// Convolutions of each channel alone on NVIDIA GPUs: every window, layout, type and epilogue against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

NodeCase depthwise(int64_t batch, int64_t channels, int64_t height, int64_t width, Dims kernel, DType type,
                   Attributes attributes) {
  attributes.set("group", channels);
  return conv({batch, channels, height, width}, {channels, 1, kernel[0], kernel[1]}, type, std::move(attributes));
}

Attributes window(Ints pads, Ints strides = {1, 1}, Ints dilations = {1, 1}) {
  return {{"pads", std::move(pads)}, {"strides", std::move(strides)}, {"dilations", std::move(dilations)}};
}

bool takes(const NodeCase& c) { return check(c).count("conv_depthwise") == 1; }

TEST(CudaDepthwise, SquareWindowsInWordsAndWithout) {
  for (DType type : kFloats)
    for (int64_t side : {3, 5, 7})
      for (int64_t stride : {1, 2})
        for (int64_t channels : {32, 144, 21}) {
          const Attributes a = window(Ints(4, side / 2), {stride, stride});
          EXPECT_TRUE(takes(depthwise(2, channels, 14, 11, {side, side}, type, a)));
          EXPECT_TRUE(takes(depthwise(1, channels, 1, 2, {side, side}, type, a)));
        }
}

TEST(CudaDepthwise, ManyChannelsAndSlices) {
  for (DType type : kFloats)
    for (int64_t channels : {4, 128, 132, 960})
      EXPECT_TRUE(takes(depthwise(3, channels, 7, 7, {5, 5}, type, window({2, 2, 2, 2}))));
}

TEST(CudaDepthwise, AnyWindow) {
  for (DType type : kFloats) {
    EXPECT_TRUE(takes(depthwise(2, 24, 9, 8, {3, 5}, type, window({1, 2, 1, 2}))));
    EXPECT_TRUE(takes(depthwise(2, 24, 9, 8, {3, 3}, type, window({2, 2, 2, 2}, {1, 1}, {2, 2}))));
    EXPECT_TRUE(takes(depthwise(1, 12, 19, 8, {9, 1}, type, window({4, 0, 4, 0}, {3, 1}))));
    EXPECT_TRUE(takes(depthwise(1, 12, 9, 9, {3, 3}, type, window({0, 1, 2, 3}, {2, 1}))));
    for (const char* padding : {"SAME_UPPER", "SAME_LOWER", "VALID"})
      EXPECT_TRUE(
          takes(depthwise(1, 16, 10, 9, {3, 3}, type, {{"strides", Ints{2, 2}}, {"auto_pad", std::string(padding)}})));
  }
}

TEST(CudaDepthwise, EitherLayoutAndOneDimension) {
  for (DType type : kFloats) {
    for (const auto& [from, to] :
         {std::pair(Layout(), Layout()), std::pair(Layout(), kLast), std::pair(kLast, Layout())}) {
      NodeCase c = depthwise(2, 20, 9, 8, {3, 3}, type, window({1, 1, 1, 1}));
      c.inputs[0].layout = from;
      c.output_layout = to;
      EXPECT_TRUE(takes(c));
    }
    EXPECT_TRUE(takes({.op = "Conv",
                       .attributes = {{"group", int64_t{12}}, {"pads", Ints{15, 15}}},
                       .inputs = {plain({2, 12, 40}, type), constant({12, 1, 31}, type), constant({12}, type)}}));
  }
}

TEST(CudaDepthwise, Epilogues) {
  for (DType type : kFloats)
    for (int64_t channels : {40, 7}) {
      NodeCase c = depthwise(2, channels, 9, 9, {3, 3}, type, window({1, 1, 1, 1}));
      c.extra = {last({2, channels, 9, 9}, type)};
      for (const char* op : {"Relu", "HardSwish", "Sigmoid"}) {
        c.post = {post("Add", {-1, 0}), post(op, {-1})};
        EXPECT_TRUE(takes(c));
        c.post = {post(op, {-1}), post("Add", {-1, 0})};
        EXPECT_TRUE(takes(c));
      }
    }
}

TEST(CudaDepthwise, NothingToDo) {
  for (DType type : kFloats) {
    EXPECT_TRUE(takes(depthwise(0, 16, 9, 9, {3, 3}, type, window({1, 1, 1, 1}))));
    EXPECT_TRUE(takes(depthwise(0, 16, 9, 9, {3, 2}, type, window({1, 1, 1, 1}))));
  }
}

TEST(CudaDepthwise, NotANumberStaysWhereItsWindowsAre) {
  for (DType type : kFloats) {
    Tensor x = random_tensor(type, {1, 8, 9, 9}, 3);
    x.set(40, static_cast<double>(kNan));
    x.set(100, static_cast<double>(kInf));
    NodeCase c = depthwise(1, 8, 9, 9, {3, 3}, type, window({1, 1, 1, 1}));
    c.inputs[0].value = x;
    EXPECT_TRUE(takes(c));
  }
}

TEST(CudaDepthwise, GroupsOfFewChannels) {
  for (DType type : kFloats) {
    EXPECT_TRUE(takes(conv({2, 32, 9, 8}, {32, 4, 3, 3}, type, {{"group", int64_t{8}}, {"pads", Ints{1, 1, 1, 1}}})));
    EXPECT_TRUE(takes(conv({1, 6, 9, 8}, {9, 2, 3, 2}, type, {{"group", int64_t{3}}, {"strides", Ints{2, 1}}})));
    EXPECT_TRUE(takes(conv({2, 5, 7, 7}, {10, 1, 3, 3}, type, {{"group", int64_t{5}}, {"pads", Ints{1, 1, 1, 1}}})));
    NodeCase rows = conv({2, 12, 7, 7}, {12, 3, 1, 1}, type, {{"group", int64_t{4}}});
    rows.inputs[0].layout = rows.output_layout = {};
    EXPECT_TRUE(takes(rows));
  }
}

constexpr DType kHalves[] = {DType::kF16, DType::kBF16};

bool takes_boxes(const NodeCase& c) { return check(c).count("depthwise_boxes") == 1; }

TEST(CudaDepthwiseBoxes, Windows) {
  for (DType type : kHalves)
    for (int64_t side : {3, 5})
      for (int64_t stride : {1, 2})
        for (int64_t channels : {8, 32, 72, 144}) {
          const Attributes a = window(Ints(4, side / 2), {stride, stride});
          EXPECT_TRUE(takes_boxes(depthwise(3, channels, 14, 11, {side, side}, type, a)));
          EXPECT_TRUE(takes_boxes(depthwise(1, channels, 1, 2, {side, side}, type, a)));
          EXPECT_TRUE(
              takes_boxes(depthwise(2, channels, 37, 61, {side, side}, type, window({0, 1, 2, 2}, {stride, stride}))));
        }
}

TEST(CudaDepthwiseBoxes, MoreTilesThanBlocksAndMoreSlicesThanBlocks) {
  for (DType type : kHalves) {
    EXPECT_TRUE(takes_boxes(depthwise(150, 16, 30, 29, {3, 3}, type, kSame3x3)));
    EXPECT_TRUE(takes_boxes(depthwise(40, 480, 7, 7, {5, 5}, type, window({2, 2, 2, 2}))));
    EXPECT_TRUE(takes_boxes(depthwise(2, 17408, 4, 5, {3, 3}, type, kSame3x3)));
  }
}

TEST(CudaDepthwiseBoxes, Epilogues) {
  for (DType type : kHalves)
    for (int64_t channels : {40, 96}) {
      NodeCase c = depthwise(2, channels, 15, 17, {5, 5}, type, window({2, 2, 2, 2}));
      for (const char* op : {"Relu", "Swish", "HardSwish", "Sigmoid", "Tanh"}) {
        c.extra.clear();
        c.post = {post(op, {-1})};
        EXPECT_TRUE(takes_boxes(c));
        c.extra = {last({2, channels, 15, 17}, type)};
        c.post = {post("Add", {-1, 0}), post(op, {-1})};
        EXPECT_TRUE(takes_boxes(c));
        c.post = {post(op, {-1}), post("Add", {-1, 0})};
        EXPECT_TRUE(takes_boxes(c));
      }
    }
}

TEST(CudaDepthwiseBoxes, NothingToDo) {
  for (DType type : kHalves) {
    EXPECT_TRUE(takes_boxes(depthwise(0, 16, 9, 9, {3, 3}, type, kSame3x3)));
    EXPECT_TRUE(takes_boxes(depthwise(2, 16, 2, 9, {3, 3}, type, {})));
  }
}

TEST(CudaDepthwiseBoxes, NotANumberStaysWhereItsWindowsAre) {
  for (DType type : kHalves) {
    Tensor x = random_tensor(type, {2, 8, 9, 9}, 3);
    x.set(40, static_cast<double>(kNan));
    x.set(100, static_cast<double>(kInf));
    NodeCase c = depthwise(2, 8, 9, 9, {3, 3}, type, kSame3x3);
    c.inputs[0].value = x;
    EXPECT_TRUE(takes_boxes(c));
  }
}

TEST(CudaDepthwiseBoxes, RefusesWithAReason) {
  const auto why = [](const NodeCase& c) { return refusal(c, "depthwise_boxes"); };
  EXPECT_NE(why(depthwise(1, 12, 6, 6, {3, 3}, DType::kF16, kSame3x3)).find("12 channels"), std::string::npos);
  EXPECT_NE(why(depthwise(1, 16, 6, 6, {3, 3}, DType::kF32, kSame3x3)).find("float32"), std::string::npos);
  EXPECT_NE(why(depthwise(1, 16, 9, 9, {7, 7}, DType::kF16, {})).find("window"), std::string::npos);
  EXPECT_NE(why(depthwise(1, 16, 9, 9, {3, 3}, DType::kF16, window({0, 0, 0, 0}, {1, 1}, {2, 2}))).find("window"),
            std::string::npos);
  EXPECT_NE(why(conv({1, 32, 6, 6}, {32, 2, 3, 3}, DType::kF16, {{"group", int64_t{16}}})).find("2 inputs"),
            std::string::npos);
  NodeCase rows = depthwise(1, 16, 9, 9, {3, 3}, DType::kF16, kSame3x3);
  rows.inputs[0].layout = {};
  EXPECT_NE(why(rows).find("channels last"), std::string::npos);
}

TEST(CudaDepthwise, RefusesWithAReason) {
  NodeCase c = conv({1, 32, 6, 6}, {32, 16, 3, 3}, DType::kF16, {{"group", int64_t{2}}});
  EXPECT_NE(refusal(c, "conv_depthwise").find("2 groups of 16 inputs and 16 outputs"), std::string::npos);
  EXPECT_NE(refusal(conv({1, 4, 6, 6}, {4, 4, 3, 3}, DType::kF16, {}), "conv_depthwise").find("1 groups"),
            std::string::npos);
  NodeCase late = depthwise(1, 8, 6, 6, {3, 3}, DType::kF16, {});
  late.inputs[1].constant = false;
  EXPECT_EQ(refusal(late, "conv_depthwise"), "the weights are not constant");
}

}  // namespace
}  // namespace kiln::cuda::testing
