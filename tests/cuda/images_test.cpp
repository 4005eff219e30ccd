// Group and instance norm and Resize on NVIDIA GPUs, in either layout.
#include <gtest/gtest.h>

#include "cuda/node_check.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16};

Operand image(Dims dims, DType type, const Layout& layout = {}) {
  return {.dims = std::move(dims), .type = type, .layout = layout};
}
Operand vector(int64_t size, DType type) { return {.dims = {size}, .type = type, .constant = true}; }

TEST(CudaGroupNorm, GroupsAndLayouts) {
  for (DType type : kFloats)
    for (const Layout& layout : {Layout(), Layout::channels_last(4)})
      for (int64_t groups : {0, 1, 3, 12}) {
        NodeCase c{.op = groups == 0 ? "InstanceNormalization" : "GroupNormalization",
                   .inputs = {image({2, 12, 5, 7}, type, layout), vector(12, type), vector(12, type)},
                   .output_layout = layout,
                   .tolerance = type == DType::kF32 ? 2e-5 : 0};
        if (groups > 0) c.attributes.set("num_groups", groups);
        EXPECT_EQ(check(c), std::set<std::string>{"group_norm"}) << groups;
      }
  for (const Dims& dims : {Dims{3, 8}, Dims{2, 8, 40}, Dims{1, 8, 3, 4, 5}, Dims{0, 8, 4, 4}, Dims{1, 8, 90, 90}})
    check({.op = "InstanceNormalization",
           .inputs = {image(dims, DType::kF32), vector(8, DType::kF32), vector(8, DType::kF32)},
           .tolerance = 3e-5});
}

NodeCase resize(Dims dims, DType type, std::vector<float> scales, Attributes attributes, const Layout& layout) {
  const Tensor list = Tensor::of<float>({static_cast<int64_t>(scales.size())}, scales);
  return {.op = "Resize",
          .attributes = std::move(attributes),
          .inputs = {image(std::move(dims), type, layout),
                     {.dims = {}, .present = false},
                     {.dims = list.dims(), .type = DType::kF32, .constant = true, .value = list}},
          .output_layout = layout};
}

TEST(CudaResize, NearestMovesEveryType) {
  for (DType type : {DType::kU8, DType::kF16, DType::kF32, DType::kI64})
    for (const char* rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"})
      for (const char* place :
           {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"})
        for (const Layout& layout : {Layout(), Layout::channels_last(4)}) {
          const NodeCase c = resize({2, 3, 7, 5}, type, {1, 1, 0.6f, 2.6f},
                                    {{"mode", std::string("nearest")},
                                     {"nearest_mode", std::string(rounding)},
                                     {"coordinate_transformation_mode", std::string(place)}},
                                    layout);
          EXPECT_EQ(check(c), std::set<std::string>{"resize"}) << place;
        }
}

TEST(CudaResize, LinearAndCubic) {
  for (DType type : kFloats)
    for (const char* mode : {"linear", "cubic"})
      for (const char* place : {"half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"})
        for (int64_t excludes : {0, 1}) {
          NodeCase c = resize({1, 4, 6, 9}, type, {1, 1, 2, 0.7f},
                              {{"mode", std::string(mode)},
                               {"coordinate_transformation_mode", std::string(place)},
                               {"exclude_outside", excludes}},
                              Layout::channels_last(4));
          EXPECT_EQ(check(c), std::set<std::string>{"resize"});
          if (excludes) continue;
          c = resize({2, 2, 3, 4, 5}, type, {1, 1, 2, 1.5f, 3}, {{"mode", std::string(mode)}}, Layout());
          check(c);
        }
}

TEST(CudaResize, RefusesWithAReason) {
  NodeCase c = resize({1, 1, 4, 4}, DType::kF32, {1, 1, 0.5f, 0.5f},
                      {{"mode", std::string("linear")}, {"antialias", int64_t{1}}}, Layout());
  EXPECT_EQ(refusal(c, "resize"), "its filter grows with the scale");
  c = resize({2, 2, 4, 4}, DType::kF32, {2, 2, 2, 2}, {{"mode", std::string("linear")}}, Layout());
  EXPECT_EQ(refusal(c, "resize"), "4 axes change");
}

}  // namespace
}  // namespace kiln::cuda::testing
