// Convolutions of few channels on NVIDIA GPUs, in every layout and type, against the reference.
#include <gtest/gtest.h>

#include "backends/cuda/device/kernels/conv_parameters.h"
#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

// float32 as TF32.
NodeCase picture(Dims x, Dims w, DType type, Attributes attributes) {
  NodeCase c = conv(std::move(x), std::move(w), type, std::move(attributes));
  if (type != DType::kF32) return c;
  c.tf32 = true;
  c.tolerance = 1e-3;
  return c;
}

bool takes(const NodeCase& c) { return check(c).count("conv_few") == 1; }

TEST(CudaFewChannels, FirstLayersOfNetworks) {
  for (DType type : kFloats)
    for (const Layout& layout : {Layout(), kLast})
      for (int64_t channels : {1, 2, 3, 4}) {
        NodeCase c = picture({2, channels, 61, 45}, {64, channels, 7, 7}, type,
                             {{"strides", Ints{2, 2}}, {"pads", Ints{3, 3, 3, 3}}});
        c.inputs[0].layout = layout;
        EXPECT_TRUE(takes(c));
        c = picture({2, channels, 37, 40}, {16, channels, 3, 3}, type,
                    {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
        c.inputs[0].layout = layout;
        EXPECT_TRUE(takes(c));
      }
}

TEST(CudaFewChannels, WindowsStridesColumns) {
  for (DType type : kFloats) {
    EXPECT_TRUE(takes(picture({1, 3, 20, 20}, {100, 3, 3, 3}, type, kSame3x3)));
    EXPECT_TRUE(takes(picture({1, 3, 36, 36}, {96, 3, 4, 4}, type, {{"strides", Ints{4, 4}}})));
    EXPECT_TRUE(takes(picture({1, 3, 23, 19}, {33, 3, 5, 3}, type,
                              {{"strides", Ints{2, 1}}, {"dilations", Ints{1, 2}}, {"pads", Ints{2, 1, 0, 3}}})));
    EXPECT_TRUE(takes(picture({3, 1, 9, 9}, {7, 1, 1, 1}, type, {})));
    for (const char* padding : {"SAME_UPPER", "SAME_LOWER", "VALID"})
      EXPECT_TRUE(takes(
          picture({1, 3, 33, 30}, {16, 3, 4, 3}, type, {{"strides", Ints{2, 3}}, {"auto_pad", std::string(padding)}})));
  }
}

TEST(CudaFewChannels, Epilogues) {
  for (DType type : kFloats)
    for (int64_t columns : {64, 20}) {
      NodeCase c = picture({2, 3, 20, 17}, {columns, 3, 3, 3}, type, kSame3x3);
      c.extra = {last({2, columns, 20, 17}, type)};
      c.post = {post("Add", {-1, 0}), post("Relu", {-1})};
      EXPECT_TRUE(takes(c));
      c.post = {post("HardSwish", {-1}), post("Add", {-1, 0})};
      EXPECT_TRUE(takes(c));
    }
}

TEST(CudaFewChannels, PicturesInFloat32) {
  for (DType type : {DType::kF16, DType::kBF16})
    for (const Layout& layout : {Layout(), kLast})
      for (int64_t channels : {1, 3, 4}) {
        NodeCase c = picture({2, channels, 61, 45}, {64, channels, 7, 7}, type,
                             {{"strides", Ints{2, 2}}, {"pads", Ints{3, 3, 3, 3}}});
        c.op = "CastConv";
        c.inputs[0].type = DType::kF32;
        c.inputs[0].layout = layout;
        c.tolerance = type == DType::kF16 ? 1e-3 : 8e-3;
        EXPECT_EQ(check(c), std::set<std::string>{"conv_few"});
        Tensor x = random_tensor(DType::kF32, {2, channels, 61, 45}, 3);
        x.set(45, static_cast<double>(kNan));
        x.set(700, 1e6);  // float16 has no such number
        c.inputs[0].value = x;
        c.post = {post("HardSwish", {-1})};
        EXPECT_TRUE(takes(c));
      }
  NodeCase c = picture({0, 3, 20, 17}, {64, 3, 3, 3}, DType::kF16, kSame3x3);
  c.op = "CastConv";
  c.inputs[0].type = DType::kF32;
  EXPECT_TRUE(takes(c));
}

// Float32 is rounded by the kernel of few channels alone.
TEST(CudaFewChannels, OthersReadNoFloat32) {
  NodeCase c = picture({1, 3, 4, 4}, {64, 3, 1, 1}, DType::kF16, {});
  c.op = "CastConv";
  c.inputs[0].type = DType::kF32;
  const BuiltNode node(c);
  for (const Tactic* tactic : tactic_list().all()) {
    if (tactic->name != "conv_few") continue;
    Emitted e = tactic->emit(node.problem(), tactic->configurations(node.problem()).front());
    EXPECT_TRUE(prepare_without_gpu(node, e, 90).ok());
    e.kernel = "skinny";
    e.parameters = to_parameters(read_parameters<kernels::ConvFewParameters>(e.parameters).conv);
    const Status refused = prepare_without_gpu(node, e, 90);
    EXPECT_NE(std::string(refused.detail).find("all float32, all float16"), std::string::npos) << refused.detail;
  }
}

TEST(CudaFewChannels, NothingToDo) {
  EXPECT_TRUE(takes(picture({0, 3, 20, 17}, {64, 3, 3, 3}, DType::kF16, kSame3x3)));
}

TEST(CudaFewChannels, NotANumberStaysWhereItsWindowsAre) {
  for (DType type : kFloats) {
    Tensor x = random_tensor(type, {1, 3, 21, 20}, 3);
    x.set(45, static_cast<double>(kNan));
    x.set(700, static_cast<double>(kInf));
    NodeCase c = picture({1, 3, 21, 20}, {64, 3, 3, 3}, type, kSame3x3);
    c.inputs[0].value = x;
    EXPECT_TRUE(takes(c));
  }
}

TEST(CudaFewChannels, RefusesWithAReason) {
  EXPECT_NE(refusal(picture({1, 5, 8, 8}, {8, 5, 3, 3}, DType::kF16, {}), "conv_few").find("5 channels"),
            std::string::npos);
  EXPECT_NE(
      refusal(picture({1, 4, 8, 8}, {8, 2, 3, 3}, DType::kF16, {{"group", int64_t{2}}}), "conv_few").find("2 groups"),
      std::string::npos);
  EXPECT_NE(refusal(conv({1, 3, 8, 8}, {8, 3, 3, 3}, DType::kF32, {}), "conv_few").find("TF32"), std::string::npos);
  EXPECT_NE(refusal(picture({1, 3, 224, 224}, {768, 3, 16, 16}, DType::kF16, {{"strides", Ints{16, 16}}}), "conv_few")
                .find("do not fit"),
            std::string::npos);
}

}  // namespace
}  // namespace kiln::cuda::testing
