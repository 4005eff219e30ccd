// Means of all pixels, and pixels times a row of channels, on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

TEST(CudaPixels, MeansOfImages) {
  for (DType type : kFloats)
    for (const Dims& dims : {Dims{2, 40, 7, 5}, Dims{1, 32, 112, 90}, Dims{9, 21, 13, 13}, Dims{1, 3, 70, 71},
                             Dims{3, 1280, 1, 1}, Dims{0, 16, 4, 4}}) {
      NodeCase c{
          .op = "GlobalAveragePool", .inputs = {last(dims, type)}, .tolerance = type == DType::kF32 ? 3e-5 : 2e-3};
      EXPECT_TRUE(check(c).count("pixel_mean"));
      c.output_layout = kLast;
      EXPECT_TRUE(check(c).count("pixel_mean"));
    }
}

TEST(CudaPixels, ReduceMeanOfPixels) {
  const Tensor axes = Tensor::of<int64_t>({2}, {3, -2}), others = Tensor::of<int64_t>({2}, {1, 2});
  for (DType type : kFloats)
    for (int64_t keep : {0, 1}) {
      NodeCase c{
          .op = "ReduceMean",
          .attributes = {{"keepdims", keep}},
          .inputs = {last({3, 72, 20, 9}, type), {.dims = {2}, .type = DType::kI64, .constant = true, .value = axes}},
          .tolerance = type == DType::kF32 ? 3e-5 : 2e-3};
      EXPECT_TRUE(check(c).count("pixel_mean"));
      c.inputs[1].value = others;
      EXPECT_NE(refusal(c, "pixel_mean").find("other axes"), std::string::npos);
    }
}

TEST(CudaPixels, NotANumberStaysInItsChannel) {
  Tensor x = random_tensor(DType::kF16, {2, 16, 50, 50}, 3);
  x.set(4000, static_cast<double>(kNan));
  x.set(45000, static_cast<double>(kInf));
  NodeCase c{.op = "GlobalAveragePool", .inputs = {last({2, 16, 50, 50}, DType::kF16)}, .tolerance = 2e-3};
  c.inputs[0].value = x;
  EXPECT_TRUE(check(c).count("pixel_mean"));
}

TEST(CudaPixels, TimesRowsOfChannels) {
  for (DType type : kFloats)
    for (const Dims& dims : {Dims{2, 40, 7, 5}, Dims{3, 8, 1, 3}, Dims{5, 960, 7, 7}, Dims{0, 8, 3, 3}}) {
      NodeCase c{
          .op = "Mul", .inputs = {last(dims, type), plain({dims[0], dims[1], 1, 1}, type)}, .output_layout = kLast};
      EXPECT_TRUE(check(c).count("scale_pixels"));
      std::swap(c.inputs[0], c.inputs[1]);
      EXPECT_TRUE(check(c).count("scale_pixels"));
    }
}

TEST(CudaPixels, OtherProductsAreRefused) {
  const auto product = [](Dims x, Dims factors, DType type) {
    return NodeCase{
        .op = "Mul", .inputs = {last(std::move(x), type), plain(std::move(factors), type)}, .output_layout = kLast};
  };
  EXPECT_NE(refusal(product({2, 40, 7, 5}, {1, 40, 1, 1}, DType::kF16), "scale_pixels").find("row of channels"),
            std::string::npos);
  EXPECT_NE(refusal(product({2, 40, 7, 5}, {2, 40, 7, 1}, DType::kF16), "scale_pixels").find("row of channels"),
            std::string::npos);
  EXPECT_NE(refusal(product({2, 41, 7, 5}, {2, 41, 1, 1}, DType::kF16), "scale_pixels").find("41 channels"),
            std::string::npos);
  NodeCase rows = product({2, 40, 7, 5}, {2, 40, 1, 1}, DType::kF16);
  rows.inputs[0].layout = rows.output_layout = {};
  EXPECT_NE(refusal(rows, "scale_pixels").find("channels last"), std::string::npos);
}

}  // namespace
}  // namespace kiln::cuda::testing
