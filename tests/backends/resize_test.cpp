// Resize.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/harness.h"

namespace kiln::testing {
namespace {

const char* kCoordinates[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel",
                              "half_pixel_symmetric"};

Tensor floats(const std::vector<float>& v) { return Tensor::of<float>({static_cast<int64_t>(v.size())}, v); }

Case by_scales(Operand x, std::vector<float> scales, Attributes attributes) {
  Case c{"Resize", {std::move(x), absent(), constant(floats(scales))}, std::move(attributes)};
  c.tolerance = c.attributes.text("mode") == "nearest" ? 0 : 2e-6;
  return c;
}

Attributes mode(const std::string& name, const std::string& coordinates) {
  return {{"mode", name}, {"coordinate_transformation_mode", coordinates}};
}

void both_layouts(const Tensor& x, const std::vector<float>& scales, const Attributes& attributes) {
  expect_case(by_scales(x, scales, attributes), "resize");
  Case last = by_scales(channels_last(x), scales, attributes);
  last.output_layouts = {Layout::channels_last(static_cast<int>(x.rank()))};
  expect_case(last, "resize");
}

TEST(Resize, WeightsOfEveryKind) {
  std::mt19937 rng(1);
  const Tensor x = random_tensor(rng, DType::kF32, {2, 3, 7, 9});
  for (const char* kind : {"linear", "cubic"})
    for (const char* coordinates : kCoordinates)
      for (const auto& scales : {std::vector<float>{1, 1, 2, 2}, {1, 1, 2.5f, 0.6f}, {1, 1, 0.4f, 3}, {1, 2, 1, 1}})
        both_layouts(x, scales, mode(kind, coordinates));
}

TEST(Resize, NearestOfEveryElementSize) {
  std::mt19937 rng(2);
  for (DType type : {DType::kU8, DType::kF16, DType::kF32, DType::kI64, DType::kC128})
    for (const char* coordinates : kCoordinates)
      for (const char* nearest : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
        Attributes a = mode("nearest", coordinates);
        a.set("nearest_mode", std::string(nearest));
        both_layouts(random_tensor(rng, type, {2, 3, 5, 6}), {1, 1, 2, 1.7f}, a);
        both_layouts(random_tensor(rng, type, {1, 2, 9, 8}), {1, 1, 0.5f, 2}, a);
      }
}

TEST(Resize, FiltersThatShrinkAndExclude) {
  std::mt19937 rng(3);
  const Tensor x = random_tensor(rng, DType::kF32, {1, 3, 16, 21});
  for (const char* kind : {"linear", "cubic"})
    for (int64_t exclude : {0, 1}) {
      Attributes a = mode(kind, "half_pixel");
      a.set("antialias", int64_t{1});
      a.set("exclude_outside", exclude);
      a.set("cubic_coeff_a", -0.5);
      both_layouts(x, {1, 1, 0.3f, 0.7f}, a);
      both_layouts(x, {1, 1, 2, 0.05f}, a);
    }
}

TEST(Resize, OneToFourAxes) {
  std::mt19937 rng(4);
  for (const char* kind : {"linear", "nearest"}) {
    both_layouts(random_tensor(rng, DType::kF32, {2, 5, 17}), {1, 1, 3}, mode(kind, "half_pixel"));
    both_layouts(random_tensor(rng, DType::kF32, {2, 3, 4, 5, 6}), {1, 1, 2, 1.5f, 0.5f}, mode(kind, "half_pixel"));
    both_layouts(random_tensor(rng, DType::kF32, {3, 3, 4, 5}), {2, 0.5f, 2, 1.5f}, mode(kind, "asymmetric"));
    expect_case(by_scales(random_tensor(rng, DType::kF32, {9}), {1.3f}, mode(kind, "half_pixel")), "resize");
    expect_case(by_scales(random_tensor(rng, DType::kF32, {5, 6}), {1, 1}, mode(kind, "half_pixel")), "resize");
  }
  Attributes a = mode("linear", "half_pixel");
  a.set("axes", Ints{-1, 2});
  expect_case(by_scales(random_tensor(rng, DType::kF32, {1, 2, 5, 6}), {2, 3}, a), "resize");
}

TEST(Resize, SizesAndDynamicShapes) {
  std::mt19937 rng(5);
  const Dim h = Dim::symbol("h");
  for (const char* kind : {"linear", "cubic", "nearest"}) {
    Case c{"Resize",
           {random_tensor(rng, DType::kF32, {1, 3, 5, 6}), absent(), absent(), constant(ints({1, 3, 11, 4}))},
           mode(kind, "half_pixel")};
    c.tolerance = 2e-6;
    expect_case(c, "resize");
    c.inputs[0] = dynamic(c.inputs[0].tensor, {1, 3, h, 6});
    expect_case(c, "resize");
    Case g = by_scales(gapped(random_tensor(rng, DType::kF32, {2, 3, 5, 6})), {1, 1, 2, 2}, mode(kind, "asymmetric"));
    g.gapped_outputs = true;
    expect_case(g, "resize");
  }
  Attributes a{{"keep_aspect_ratio_policy", std::string("not_larger")}};
  expect_no_case(
      {"Resize", {random_tensor(rng, DType::kF32, {1, 1, 5, 6}), absent(), absent(), constant(ints({1, 1, 9, 9}))}, a},
      "resize");
}

TEST(Resize, RegionsWithValuesOutside) {
  std::mt19937 rng(6);
  for (const char* kind : {"linear", "cubic", "nearest"}) {
    Attributes a = mode(kind, "tf_crop_and_resize");
    a.set("extrapolation_value", 10.0);
    for (const auto& roi :
         {std::vector<float>{0, 0, 0.4f, 0.6f, 1, 1, 0.6f, 0.8f}, {0, 0, -0.3f, 0.2f, 1, 1, 0.7f, 1.5f}}) {
      Case c{"Resize",
             {random_tensor(rng, DType::kF32, {1, 2, 6, 7}), constant(floats(roi)), absent(),
              constant(ints({1, 2, 5, 8}))},
             a};
      c.tolerance = 2e-6;
      expect_case(c, "resize");
    }
  }
}

TEST(Resize, WhatIsBeyondTheKernelsIsLeftToTheReference) {
  std::mt19937 rng(7);
  const Tensor x = random_tensor(rng, DType::kF32, {1, 2, 5, 6});
  const auto region_to = [&](float end) {
    Case c{"Resize",
           {x, constant(floats({0, 0, 0, 0, end, 1, 1, 1})), absent(), constant(ints({1, 2, 4, 5}))},
           mode("linear", "tf_crop_and_resize")};
    c.tolerance = 2e-6;
    return c;
  };
  expect_case(region_to(1e6f), "resize");
  for (float end : {1.8e16f, -3e7f}) expect_no_case(region_to(end));
}

TEST(Resize, InfiniteNeighboursOfNoWeight) {
  const float inf = std::numeric_limits<float>::infinity();
  expect_case(by_scales(Tensor::of<float>({1, 5}, {1, inf, 2, std::nanf(""), 3}), {1, 2}, mode("linear", "asymmetric")),
              "resize");
  expect_case(by_scales(Tensor::of<float>({5, 1}, {1, inf, 2, std::nanf(""), 3}), {2, 1}, mode("linear", "asymmetric")),
              "resize");
}

TEST(Resize, LargeImagesOnSeveralThreads) {
  std::mt19937 rng(7);
  for (const char* kind : {"linear", "cubic", "nearest"}) {
    both_layouts(random_tensor(rng, DType::kF32, {1, 3, 160, 200}), {1, 1, 2, 1.5f}, mode(kind, "half_pixel"));
    both_layouts(random_tensor(rng, DType::kF32, {2, 19, 40, 33}), {1, 1, 2, 2}, mode(kind, "align_corners"));
  }
}

TEST(Resize, ParametersOfAnybodyAreChecked) {
  const Tensor x = Tensor::allocate(DType::kF32, {2, 3});
  const auto launch = [&](const std::string& key, Attribute value) {
    Attributes p{{"mode", std::string("linear")},
                 {"nearest_mode", std::string("floor")},
                 {"coordinates", std::string("half_pixel")},
                 {"cubic_a", -0.75},
                 {"antialias", int64_t{1}},
                 {"exclude_outside", int64_t{0}},
                 {"outside", 0.0},
                 {"axes", Ints{1}},
                 {"scales", Floats{2}},
                 {"roi", Floats{}}};
    p.set(key, std::move(value));
    std::vector<Tensor> out{Tensor::allocate(DType::kF32, {2, 6})};
    try {
      return launch_kernel("resize", p, {x}, out).ok();
    } catch (const Error&) {
      return false;
    }
  };
  EXPECT_TRUE(launch("axes", Ints{1}));
  EXPECT_FALSE(launch("axes", Ints{2}));
  EXPECT_FALSE(launch("axes", Ints{-1}));
  EXPECT_FALSE(launch("axes", Ints{0}));
  EXPECT_FALSE(launch("axes", Ints{1, 1}));
  EXPECT_FALSE(launch("scales", Floats{0}));
  EXPECT_FALSE(launch("scales", Floats{-1}));
  EXPECT_FALSE(launch("scales", Floats{1e-9}));
  EXPECT_FALSE(launch("scales", Floats{std::numeric_limits<double>::infinity()}));
  EXPECT_FALSE(launch("mode", std::string("square")));
  EXPECT_FALSE(launch("coordinates", std::string("tf_crop_and_resize")));
  EXPECT_FALSE(launch("coordinates", std::string("none")));
}

}  // namespace
}  // namespace kiln::testing
