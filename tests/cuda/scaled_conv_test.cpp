// Convolutions of images times factors, and of each channel alone with such factors as a result, on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kHalves[] = {DType::kF16, DType::kBF16};

NodeCase scaled(Dims x, int64_t columns, DType type, bool bias = true) {
  const Dims factors{x[0], x[1], 1, 1};
  NodeCase c{
      .op = "ScaledConv",
      .inputs = {last(x, type), constant({columns, x[1], 1, 1}, type), constant({columns}, type), last(factors, type)},
      .output_layout = kLast,
      .tolerance = type == DType::kF16 ? 2e-3 : 1.5e-2};
  c.inputs[2].present = bias;
  return c;
}

bool takes_scaled(const NodeCase& c) { return check(c).count("scaled_conv") == 1; }

TEST(CudaScaledConv, ImagesOfAnySize) {
  for (DType type : kHalves)
    for (int64_t columns : {8, 24, 40, 80, 112, 128}) {
      EXPECT_TRUE(takes_scaled(scaled({2, 32, 28, 27}, columns, type)));
      EXPECT_TRUE(takes_scaled(scaled({5, 144, 7, 7}, columns, type)));
      EXPECT_TRUE(takes_scaled(scaled({3, 8, 1, 1}, columns, type)));
      EXPECT_TRUE(takes_scaled(scaled({130, 16, 1, 3}, columns, type)));
      EXPECT_TRUE(takes_scaled(scaled({1, 672, 14, 14}, columns, type)));
      EXPECT_TRUE(takes_scaled(scaled({0, 16, 4, 4}, columns, type)));
      EXPECT_TRUE(takes_scaled(scaled({2, 16, 0, 4}, columns, type)));
    }
}

// No whole words of results, and a last run of terms that is not whole.
TEST(CudaScaledConv, OddNumbersOfChannels) {
  for (DType type : kHalves)
    for (int64_t columns : {1, 7, 33, 70}) {
      EXPECT_TRUE(takes_scaled(scaled({2, 40, 9, 5}, columns, type)));
      EXPECT_TRUE(takes_scaled(scaled({3, 104, 5, 5}, columns, type, false)));
    }
}

// A warp has rows after rows.
TEST(CudaScaledConv, ManyPixels) {
  EXPECT_TRUE(takes_scaled(scaled({9, 32, 112, 110}, 16, DType::kF16)));
  EXPECT_TRUE(takes_scaled(scaled({20, 48, 57, 53}, 40, DType::kBF16)));
  EXPECT_TRUE(takes_scaled(scaled({40, 240, 29, 28}, 80, DType::kF16)));
}

TEST(CudaScaledConv, Epilogues) {
  for (DType type : kHalves)
    for (int64_t columns : {24, 48, 70}) {
      NodeCase c = scaled({3, 40, 15, 17}, columns, type);
      for (const char* op : {"Relu", "Swish", "HardSwish", "Sigmoid", "Tanh"}) {
        c.extra.clear();
        c.post = {post(op, {-1})};
        EXPECT_TRUE(takes_scaled(c));
        c.extra = {last({3, columns, 15, 17}, type)};
        c.post = {post("Add", {-1, 0}), post(op, {-1})};
        EXPECT_TRUE(takes_scaled(c));
        c.post = {post(op, {-1}), post("Add", {-1, 0})};
        EXPECT_TRUE(takes_scaled(c));
      }
      c.post = {post("Add", {-1, 0})};
      EXPECT_TRUE(takes_scaled(c));
    }
}

TEST(CudaScaledConv, NotANumberStaysInItsPixelAndImage) {
  for (DType type : kHalves) {
    NodeCase c = scaled({3, 40, 9, 8}, 24, type);
    Tensor x = random_tensor(type, {3, 40, 9, 8}, 5), factors = random_tensor(type, {3, 40, 1, 1}, 6);
    x.set(777, static_cast<double>(kNan));
    factors.set(50, static_cast<double>(kNan));
    c.inputs[0].value = x;
    c.inputs[3].value = factors;
    EXPECT_TRUE(takes_scaled(c));
  }
}

TEST(CudaScaledConv, RefusesWithAReason) {
  const auto why = [](const NodeCase& c) { return refusal(c, "scaled_conv"); };
  EXPECT_NE(why(scaled({2, 32, 7, 7}, 24, DType::kF32)).find("float32"), std::string::npos);
  EXPECT_NE(why(scaled({2, 36, 7, 7}, 24, DType::kF16)).find("36 channels"), std::string::npos);
  EXPECT_NE(why(scaled({2, 32, 7, 7}, 136, DType::kF16)).find("32 channels for 136"), std::string::npos);
  EXPECT_NE(why(scaled({2, 1152, 7, 7}, 128, DType::kF16)).find("1152 channels for 128"), std::string::npos);
  NodeCase strided = scaled({2, 32, 8, 8}, 24, DType::kF16);
  strided.attributes.set("strides", Ints{2, 2});
  EXPECT_NE(why(strided).find("1x1"), std::string::npos);
  NodeCase late = scaled({2, 32, 7, 7}, 24, DType::kF16);
  late.inputs[1].constant = false;
  EXPECT_EQ(why(late), "the weights are not constant");
}

NodeCase excite(Dims x, int64_t side, int64_t stride, int64_t hidden, DType type,
                const std::string& activation = "Swish", bool biases = true) {
  const int64_t channels = x[1];
  NodeCase c{.op = "ConvExcite",
             .attributes = {{"group", channels},
                            {"pads", Ints(4, side / 2)},
                            {"strides", Ints{stride, stride}},
                            {"activation", activation}},
             .inputs = {last(std::move(x), type), constant({channels, 1, side, side}, type), constant({channels}, type),
                        constant({hidden, channels, 1, 1}, type), constant({hidden}, type),
                        constant({channels, hidden, 1, 1}, type), constant({channels}, type)},
             .output_layout = kLast,
             .outputs = 2,
             .tolerance = type == DType::kF16 ? 3e-3 : 2e-2};
  for (int bias : {2, 4, 6}) c.inputs[static_cast<size_t>(bias)].present = biases;
  return c;
}

bool takes_excite(const NodeCase& c) { return check(c).count("conv_excite") == 1; }

TEST(CudaConvExcite, Windows) {
  for (DType type : kHalves)
    for (int64_t side : {3, 5})
      for (int64_t stride : {1, 2})
        for (int64_t channels : {8, 32, 72, 144}) {
          EXPECT_TRUE(takes_excite(excite({3, channels, 14, 11}, side, stride, 6, type)));
          EXPECT_TRUE(takes_excite(excite({1, channels, 1, 2}, side, stride, 3, type)));
          EXPECT_TRUE(takes_excite(excite({2, channels, 37, 61}, side, stride, 9, type)));
        }
}

TEST(CudaConvExcite, ManyImagesAndChannels) {
  for (DType type : kHalves) {
    EXPECT_TRUE(takes_excite(excite({150, 16, 30, 29}, 3, 1, 4, type)));
    EXPECT_TRUE(takes_excite(excite({41, 480, 7, 7}, 5, 1, 20, type)));
    EXPECT_TRUE(takes_excite(excite({301, 24, 3, 5}, 3, 1, 9, type)));
    EXPECT_TRUE(takes_excite(excite({9, 1152, 7, 7}, 5, 2, 48, type)));
    EXPECT_TRUE(takes_excite(excite({2, 1024, 4, 5}, 3, 1, 512, type)));
  }
}

TEST(CudaConvExcite, ActivationsAndBiases) {
  for (const char* activation : {"", "HardSwish", "Relu", "Sigmoid", "Swish", "Tanh"})
    for (bool biases : {false, true}) {
      NodeCase c = excite({2, 40, 9, 8}, 3, 1, 10, DType::kF16, activation, biases);
      EXPECT_TRUE(takes_excite(c));
      c.attributes.set("squeeze_activation", std::string("Swish"));
      c.attributes.set("excite_activation", std::string("HardSigmoid"));
      c.attributes.set("alpha", 0.3);
      c.attributes.set("beta", 0.4);
      EXPECT_TRUE(takes_excite(c));
    }
}

TEST(CudaConvExcite, NothingToDo) {
  for (DType type : kHalves) EXPECT_TRUE(takes_excite(excite({0, 16, 9, 9}, 3, 1, 4, type)));
}

TEST(CudaConvExcite, NotANumberStaysInItsImage) {
  for (DType type : kHalves) {
    NodeCase c = excite({9, 16, 6, 7}, 3, 1, 4, type);
    Tensor x = random_tensor(type, {9, 16, 6, 7}, 5);
    x.set(16 * 42 * 4 + 77, static_cast<double>(kNan));
    c.inputs[0].value = x;
    EXPECT_TRUE(takes_excite(c));
  }
}

TEST(CudaConvExcite, RefusesWithAReason) {
  const auto why = [](const NodeCase& c) { return refusal(c, "conv_excite"); };
  EXPECT_NE(why(excite({1, 16, 6, 6}, 3, 1, 4, DType::kF32)).find("float32"), std::string::npos);
  EXPECT_NE(why(excite({1, 12, 6, 6}, 3, 1, 4, DType::kF16)).find("12 channels"), std::string::npos);
  EXPECT_NE(why(excite({1, 16, 9, 9}, 7, 1, 4, DType::kF16)).find("window"), std::string::npos);
  EXPECT_NE(why(excite({1, 16, 9, 9}, 3, 1, 4, DType::kF16, "Mish")).find("Mish"), std::string::npos);
  NodeCase gate = excite({1, 16, 9, 9}, 3, 1, 4, DType::kF16);
  gate.attributes.set("excite_activation", std::string("Mish"));
  EXPECT_NE(why(gate).find("Mish"), std::string::npos);
  NodeCase rows = excite({1, 16, 9, 9}, 3, 1, 4, DType::kF16);
  rows.inputs[0].layout = {};
  EXPECT_NE(why(rows).find("channels last"), std::string::npos);
  NodeCase late = excite({1, 16, 9, 9}, 3, 1, 4, DType::kF16);
  late.inputs[5].constant = false;
  EXPECT_EQ(why(late), "the weights are not constant");
}

}  // namespace
}  // namespace kiln::cuda::testing
