// Squeeze-and-excite on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

NodeCase squeeze_excite(Dims x, int64_t hidden, DType type, Attributes attributes = {}, bool biases = true) {
  const int64_t channels = x[1];
  NodeCase c{.op = "SqueezeExcite",
             .attributes = std::move(attributes),
             .inputs = {last(std::move(x), type), constant({hidden, channels, 1, 1}, type), constant({hidden}, type),
                        constant({channels, hidden, 1, 1}, type), constant({channels}, type)},
             .output_layout = kLast,
             .tolerance = type == DType::kF32   ? 3e-5
                          : type == DType::kF16 ? 2e-3
                                                : 1.5e-2};
  c.inputs[2].present = c.inputs[4].present = biases;
  return c;
}

bool takes_squeeze(const NodeCase& c) { return check(c).count("squeeze_excite") == 1; }

TEST(CudaSqueeze, ImagesOfAnySize) {
  for (DType type : kFloats) {
    EXPECT_TRUE(takes_squeeze(squeeze_excite({2, 32, 56, 50}, 8, type)));
    EXPECT_TRUE(takes_squeeze(squeeze_excite({3, 96, 28, 27}, 4, type)));
    EXPECT_TRUE(takes_squeeze(squeeze_excite({1, 1152, 7, 7}, 48, type)));
    EXPECT_TRUE(takes_squeeze(squeeze_excite({2, 8, 1, 1}, 1, type)));
    EXPECT_TRUE(takes_squeeze(squeeze_excite({2, 16, 1, 3}, 70, type)));
    EXPECT_TRUE(takes_squeeze(squeeze_excite({5, 2048, 2, 1}, 5, type)));
    EXPECT_TRUE(takes_squeeze(squeeze_excite({0, 16, 4, 4}, 4, type)));
    EXPECT_TRUE(takes_squeeze(squeeze_excite({2, 16, 0, 4}, 4, type)));
  }
}

// A cluster has one after the other.
TEST(CudaSqueeze, ManyImages) {
  EXPECT_TRUE(takes_squeeze(squeeze_excite({301, 16, 5, 3}, 9, DType::kF16)));
  EXPECT_TRUE(takes_squeeze(squeeze_excite({70, 960, 3, 3}, 240, DType::kF16)));
}

// More than the blocks of a cluster hold: the image is read twice, or the weights stay where they are.
TEST(CudaSqueeze, WhatDoesNotFitSharedMemory) {
  EXPECT_TRUE(takes_squeeze(squeeze_excite({1, 64, 160, 120}, 16, DType::kF16)));
  EXPECT_TRUE(takes_squeeze(squeeze_excite({1, 1024, 9, 9}, 512, DType::kF16)));
}

TEST(CudaSqueeze, ActivationsAndBiases) {
  for (const char* squeeze : {"HardSwish", "Relu", "Sigmoid", "Swish", "Tanh"})
    for (bool biases : {false, true}) {
      Attributes attributes{{"squeeze_activation", std::string(squeeze)}};
      EXPECT_TRUE(takes_squeeze(squeeze_excite({2, 40, 9, 8}, 10, DType::kF16, attributes, biases)));
      attributes.set("excite_activation", std::string("HardSigmoid"));
      attributes.set("alpha", 0.3);
      attributes.set("beta", 0.4);
      EXPECT_TRUE(takes_squeeze(squeeze_excite({2, 40, 9, 8}, 10, DType::kF16, attributes, biases)));
    }
}

TEST(CudaSqueeze, NotANumberStaysInItsImage) {
  for (DType type : kFloats) {
    NodeCase c = squeeze_excite({3, 32, 20, 15}, 8, type);
    Tensor x = random_tensor(type, {3, 32, 20, 15}, 5);
    x.set(32 * 300 + 77, static_cast<double>(kNan));
    c.inputs[0].value = x;
    EXPECT_TRUE(takes_squeeze(c));
  }
}

TEST(CudaSqueeze, RefusesWithAReason) {
  NodeCase rows = squeeze_excite({2, 32, 7, 7}, 8, DType::kF16);
  rows.inputs[0].layout = rows.output_layout = {};
  EXPECT_NE(refusal(rows, "squeeze_excite").find("channels last"), std::string::npos);
  EXPECT_NE(refusal(squeeze_excite({2, 36, 7, 7}, 8, DType::kF16), "squeeze_excite").find("36 channels"),
            std::string::npos);
  EXPECT_NE(refusal(squeeze_excite({2, 4096, 1, 1}, 8, DType::kF16), "squeeze_excite").find("4096 channels"),
            std::string::npos);
  EXPECT_NE(refusal(squeeze_excite({2, 32, 7, 7}, 8, DType::kF16, {{"squeeze_activation", std::string("Mish")}}),
                    "squeeze_excite")
                .find("Mish"),
            std::string::npos);
  NodeCase late = squeeze_excite({2, 32, 7, 7}, 8, DType::kF16);
  late.inputs[3].constant = false;
  EXPECT_EQ(refusal(late, "squeeze_excite"), "the weights are not constant");
}

TEST(CudaSqueeze, ParametersAreChecked) {
  const BuiltNode node(squeeze_excite({2, 32, 7, 7}, 8, DType::kF16));
  const Tactic* tactic = nullptr;
  for (const Tactic* t : tactic_list().all())
    if (t->name == "squeeze_excite") tactic = t;
  ASSERT_NE(tactic, nullptr);
  const auto with = [&](const char* parameter, int64_t value, int compute = 90) {
    Emitted e = tactic->emit(node.problem(), {{"blocks", int64_t{2}}, {"keep", int64_t{1}}, {"threads", int64_t{512}}});
    e.parameters.set(parameter, value);
    return prepare_without_gpu(node, e, compute);
  };
  EXPECT_TRUE(with("blocks", 4).ok());
  EXPECT_EQ(with("hidden", 9).code, Code::kShapeMismatch);
  EXPECT_TRUE(with("keep", 2).ok());
  EXPECT_TRUE(with("threads", 256).ok());
  EXPECT_THROW((void)with("keep", 3), Error);
  EXPECT_THROW((void)with("threads", 300), Error);
  EXPECT_THROW((void)with("keep", 2, 75), Error);
  EXPECT_THROW((void)with("blocks", 3), Error);
  EXPECT_THROW((void)with("blocks", 16), Error);
  EXPECT_THROW((void)with("excite", 99), Error);
  EXPECT_THROW((void)with("blocks", 2, 80), Error);
}

}  // namespace
}  // namespace kiln::cuda::testing
