// Sampling at grids and regions, normalisation over channels, and operators that pointwise programs compute, on NVIDIA GPUs.
#include <gtest/gtest.h>

#include <cmath>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

TEST(CudaGridSample, ModesPaddingsAndDimensions) {
  for (DType type : kFloats)
    for (const char* mode : {"nearest", "linear", "cubic"})
      for (const char* padding : {"zeros", "border", "reflection"})
        for (int64_t corners : {0, 1}) {
          const Attributes a{
              {"mode", std::string(mode)}, {"padding_mode", std::string(padding)}, {"align_corners", corners}};
          // Halves give places of few bits, where rounding decides between elements.
          Tensor grid = random_tensor(type, {2, 5, 4, 2}, 3);
          for (int64_t i = 0; i < grid.size(); ++i) grid.set(i, std::round(grid.at(i) * 24) / 16);
          NodeCase c{.op = "GridSample",
                     .attributes = a,
                     .inputs = {plain({2, 3, 6, 7}, type), {.dims = {2, 5, 4, 2}, .type = type, .value = grid}},
                     .tolerance = type == DType::kF32 ? 3e-5 : 0};
          EXPECT_EQ(check(c), std::set<std::string>{"grid_sample"}) << mode << " " << padding;
          if (type != DType::kF32) continue;
          c.inputs = {plain({1, 2, 9}, type), plain({1, 4, 1}, type)};
          check(c);
          if (std::string(mode) != "cubic") {
            c.inputs = {plain({1, 2, 4, 5, 3}, type), plain({1, 3, 2, 4, 3}, type)};
            check(c);
          }
        }
}

TEST(CudaGridSample, FarPointsAndNone) {
  Tensor grid = random_tensor(DType::kF32, {1, 2, 3, 2}, 3);
  const float values[] = {kNan, kInf, -kInf, 1e30f, -1e30f, 3.0f};
  for (int64_t i = 0; i < 6; ++i) grid.set(i * 2, static_cast<double>(values[i]));
  for (const char* padding : {"zeros", "border"})
    check({.op = "GridSample",
           .attributes = {{"padding_mode", std::string(padding)}},
           .inputs = {plain({1, 2, 4, 4}, DType::kF32), {.dims = {1, 2, 3, 2}, .type = DType::kF32, .value = grid}}});
  check({.op = "GridSample", .inputs = {plain({2, 3, 4, 4}, DType::kF32), plain({2, 0, 3, 2}, DType::kF32)}});
  EXPECT_NE(
      refusal({.op = "GridSample", .inputs = {plain({1, 2, 4, 4}, DType::kF64), plain({1, 2, 3, 2}, DType::kF64)}},
              "grid_sample")
          .find("float64"),
      std::string::npos);
}

TEST(CudaRoiAlign, ModesRatiosAndScales) {
  for (DType type : kFloats)
    for (const char* mode : {"avg", "max"})
      for (const char* places : {"half_pixel", "output_half_pixel"})
        for (int64_t ratio : {0, 2}) {
          Tensor rois = random_tensor(type, {3, 4}, 5);
          for (int64_t r = 0; r < 3; ++r)
            for (int64_t k = 0; k < 4; ++k)
              rois.set(r * 4 + k, static_cast<double>(r + (k < 2 ? 0.25 : 7.5) + static_cast<double>(k)));
          const Operand images{.dims = {3}, .type = DType::kI64, .value = Tensor::of<int64_t>({3}, {1, 0, 1})};
          NodeCase c{.op = "RoiAlign",
                     .attributes = {{"mode", std::string(mode)},
                                    {"coordinate_transformation_mode", std::string(places)},
                                    {"sampling_ratio", ratio},
                                    {"spatial_scale", 0.5},
                                    {"output_height", int64_t{3}},
                                    {"output_width", int64_t{2}}},
                     .inputs = {plain({2, 5, 8, 9}, type), {.dims = {3, 4}, .type = type, .value = rois}, images},
                     .tolerance = type == DType::kF32 ? 3e-5 : 0};
          EXPECT_EQ(check(c), std::set<std::string>{"roi_align"}) << mode << " " << places << " " << ratio;
        }
  const Operand none{.dims = {0}, .type = DType::kI64};
  check({.op = "RoiAlign",
         .attributes = {{"output_height", int64_t{2}}, {"output_width", int64_t{2}}},
         .inputs = {plain({2, 5, 8, 9}, DType::kF32), plain({0, 4}, DType::kF32), none}});
}

TEST(CudaLrn, NeighboursInEitherLayout) {
  for (DType type : kFloats)
    for (const Layout& layout : {kLast, Layout()})
      for (int64_t size : {1, 4, 5, 40}) {
        NodeCase c{.op = "LRN",
                   .attributes = {{"size", size}, {"alpha", 0.3}, {"beta", size == 4 ? 0.5 : 0.75}, {"bias", 2.0}},
                   .inputs = {{.dims = {2, 17, 5, 3}, .type = type, .layout = layout}},
                   .output_layout = layout};
        EXPECT_EQ(check(c), std::set<std::string>{"lrn"}) << size;
      }
  check({.op = "LRN", .attributes = {{"size", int64_t{3}}}, .inputs = {plain({2, 0, 3}, DType::kF32)}});
  check({.op = "LRN", .attributes = {{"size", int64_t{3}}}, .inputs = {plain({2, 6}, DType::kF32)}});
}

Operand positive(Dims dims, DType type) {
  Tensor t = random_tensor(type, dims, 11);
  for (int64_t i = 0; i < t.size(); ++i) t.set(i, std::abs(t.at(i)) + 0.5);
  return {.dims = std::move(dims), .type = type, .constant = true, .value = t};
}

TEST(CudaPrograms, BatchNormalization) {
  for (DType type : kFloats)
    for (const Layout& layout : {kLast, Layout()}) {
      NodeCase c{.op = "BatchNormalization",
                 .inputs = {{.dims = {2, 21, 4, 3}, .type = type, .layout = layout},
                            constant({21}, type),
                            constant({21}, type),
                            constant({21}, type),
                            positive({21}, type)},
                 .output_layout = layout,
                 .tolerance = type == DType::kF32   ? 1e-5
                              : type == DType::kF16 ? 3e-3
                                                    : 2e-2};
      EXPECT_TRUE(check(c).count("channel_affine"));
      c.inputs[1].constant = false;
      EXPECT_NE(refusal(c, "channel_affine").find("not constant"), std::string::npos);
    }
  check({.op = "BatchNormalization",
         .inputs = {plain({0, 3}, DType::kF32), constant({3}, DType::kF32), constant({3}, DType::kF32),
                    constant({3}, DType::kF32), positive({3}, DType::kF32)}});
}

TEST(CudaPrograms, QuantizeAndDequantize) {
  for (DType whole : {DType::kI8, DType::kU8, DType::kI16, DType::kU16})
    for (DType real : {DType::kF32, DType::kF16})
      for (bool per_axis : {false, true}) {
        const Dims scale = per_axis ? Dims{6} : Dims{};
        const Operand zero{.dims = scale, .type = whole, .constant = true};
        EXPECT_TRUE(check({.op = "QuantizeLinear",
                           .attributes = {{"axis", int64_t{1}}},
                           .inputs = {plain({3, 6, 5}, real), positive(scale, real), zero}})
                        .count("quantize"));
        EXPECT_TRUE(check({.op = "DequantizeLinear",
                           .attributes = {{"axis", int64_t{1}}},
                           .inputs = {plain({3, 6, 5}, whole), positive(scale, real), zero}})
                        .count("quantize"));
      }
  EXPECT_NE(
      refusal({.op = "DequantizeLinear", .inputs = {plain({4}, DType::kI32), positive({}, DType::kF32)}}, "quantize"),
      "");
}

}  // namespace
}  // namespace kiln::cuda::testing
