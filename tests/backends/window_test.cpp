// Poolings over any number of dimensions, sampling at grids, and chains of pointwise operators on narrow types.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/harness.h"
#include "base/error.h"

namespace kiln::testing {
namespace {

Case pool(const char* op, Tensor x, Attributes attributes, int outputs = 1) {
  Case c{op, {std::move(x)}, std::move(attributes), outputs};
  c.tolerance = std::string(op) == "MaxPool" ? 0 : 1e-5;
  return c;
}

TEST(PoolWalk, WindowsOfAllRanks) {
  std::mt19937 rng(1);
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
    const auto check = [&](Dims dims, Attributes attributes) {
      expect_case(pool(op, random_tensor(rng, DType::kF32, std::move(dims)), std::move(attributes)), "pool_any");
    };
    check({2, 3, 11}, {{"kernel_shape", Ints{4}}, {"strides", Ints{3}}, {"pads", Ints{1, 2}}});
    check({1, 5, 9, 7}, {{"kernel_shape", Ints{3, 2}}, {"dilations", Ints{2, 3}}, {"pads", Ints{2, 1, 1, 1}}});
    check({2, 2, 6, 5, 7},
          {{"kernel_shape", Ints{3, 2, 2}}, {"strides", Ints{2, 1, 3}}, {"pads", Ints{1, 0, 1, 1, 1, 0}}});
    check({1, 2, 5, 6, 7}, {{"kernel_shape", Ints{2, 3, 3}}, {"strides", Ints{2, 2, 2}}, {"ceil_mode", int64_t{1}}});
    check({1, 2, 3, 4, 5, 4}, {{"kernel_shape", Ints{2, 2, 2, 2}}});
    for (const char* padding : {"SAME_UPPER", "SAME_LOWER", "VALID"})
      check({1, 2, 5, 6, 7},
            {{"kernel_shape", Ints{2, 3, 4}}, {"strides", Ints{2, 1, 3}}, {"auto_pad", std::string(padding)}});
    check({0, 2, 5, 6}, {{"kernel_shape", Ints{2, 3}}});
    Case gaps = pool(op, random_tensor(rng, DType::kF32, {2, 3, 4, 5, 6}), {{"kernel_shape", Ints{2, 2, 2}}});
    gaps.inputs[0].gaps = gaps.gapped_outputs = true;
    expect_case(gaps, "pool_any");
    expect_no_case(pool(op, random_tensor(rng, DType::kF64, {1, 1, 3, 3}), {{"kernel_shape", Ints{2, 2}}}), "pool_any");
  }
  expect_case(pool("AveragePool", random_tensor(rng, DType::kF32, {1, 2, 5, 6, 7}),
                   {{"kernel_shape", Ints{3, 3, 3}},
                    {"strides", Ints{2, 2, 2}},
                    {"pads", Ints{1, 1, 1, 1, 1, 1}},
                    {"count_include_pad", int64_t{1}},
                    {"ceil_mode", int64_t{1}}}),
              "pool_any");
  for (int64_t p : {1, 3, 4})
    expect_case(pool("LpPool", random_tensor(rng, DType::kF32, {1, 2, 6, 6}), {{"kernel_shape", Ints{3, 3}}, {"p", p}}),
                "pool_any");
}

TEST(PoolWalk, PositionsNanAndInfinity) {
  std::mt19937 rng(2);
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  for (int64_t order : {0, 1}) {
    Tensor x = random_tensor(rng, DType::kF32, {2, 3, 7, 6});
    for (int64_t i = 0; i < x.size(); i += 5) x.set(i, i % 3 == 0 ? nan : i % 2 ? inf : -inf);
    const Attributes a{
        {"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"storage_order", order}};
    expect_case(pool("MaxPool", x, a, 2), "pool_any");
    Tensor ties = Tensor::allocate(DType::kF32, {1, 1, 4, 4, 4});
    expect_case(pool("MaxPool", ties, {{"kernel_shape", Ints{2, 2, 2}}, {"storage_order", order}}, 2), "pool_any");
  }
}

// Windows that are folded axis by axis.
TEST(PoolWalk, LongWindows) {
  std::mt19937 rng(3);
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
    const auto check = [&](Tensor x, Attributes attributes, bool gaps = false) {
      Case c = pool(op, std::move(x), std::move(attributes), std::string(op) == "MaxPool" ? 2 : 1);
      c.inputs[0].gaps = gaps;
      expect_case(c, "pool_any");
      expect_no_case(c, "pool");
    };
    check(random_tensor(rng, DType::kF32, {2, 3, 3000}), {{"kernel_shape", Ints{2000}}, {"pads", Ints{1999, 1500}}});
    check(random_tensor(rng, DType::kF32, {1, 2, 4000}),
          {{"kernel_shape", Ints{1301}}, {"pads", Ints{1000, 900}}, {"dilations", Ints{3}}}, true);
    Tensor image = random_tensor(rng, DType::kF32, {1, 2, 75, 60});
    for (int64_t i = 0; i < image.size(); i += 501) image.set(i, i % 3 == 0 ? nan : i % 2 ? inf : -inf);
    check(image, {{"kernel_shape", Ints{51, 44}}, {"pads", Ints{40, 43, 50, 30}}});
    check(image, {{"kernel_shape", Ints{70, 40}}, {"pads", Ints{69, 20, 69, 19}}, {"dilations", Ints{1, 1}}});
    check(image, {{"kernel_shape", Ints{60, 60}}, {"auto_pad", std::string("SAME_LOWER")}});
  }
  Case padded = pool("AveragePool", random_tensor(rng, DType::kF32, {1, 2, 40, 80}),
                     {{"kernel_shape", Ints{40, 40}},
                      {"pads", Ints{30, 20, 39, 39}},
                      {"count_include_pad", int64_t{1}},
                      {"ceil_mode", int64_t{1}}});
  expect_case(padded, "pool_any");
  // As long, but apart: each element is met once.
  Case apart = pool("AveragePool", random_tensor(rng, DType::kF32, {1, 2, 80, 80}),
                    {{"kernel_shape", Ints{40, 40}}, {"strides", Ints{40, 40}}});
  expect_case(apart, "pool");
}

TEST(GridPoints, ModesPaddingsAndRanks) {
  std::mt19937 rng(3);
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const char* padding : {"zeros", "border", "reflection"})
      for (int64_t corners : {0, 1}) {
        const auto check = [&](Dims x, Dims grid) {
          Case c{"GridSample",
                 {random_tensor(rng, DType::kF32, std::move(x)), random_tensor(rng, DType::kF32, std::move(grid))},
                 {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}, {"align_corners", corners}}};
          c.tolerance = 1e-5;
          expect_case(c, "grid_sample");
        };
        check({2, 3, 5, 7}, {2, 4, 6, 2});
        check({1, 2, 9}, {1, 5, 1});
        check({1, 2, 3, 4, 5}, {1, 2, 3, 4, 3});
        check({1, 2, 1, 1}, {1, 3, 3, 2});
        check({0, 2, 3, 3}, {0, 3, 3, 2});
      }
  Tensor grid = random_tensor(rng, DType::kF32, {1, 3, 3, 2});
  grid.set(0, std::nan(""));
  grid.set(5, std::numeric_limits<double>::infinity());
  Case c{"GridSample", {random_tensor(rng, DType::kF32, {1, 2, 4, 4}), grid}};
  c.tolerance = 1e-5;
  expect_case(c, "grid_sample");
}

TEST(RegionBins, ModesAndRegions) {
  std::mt19937 rng(5);
  Tensor rois = random_tensor(rng, DType::kF32, {5, 4});
  for (int64_t i = 0; i < rois.size(); ++i) rois.set(i, rois.at(i) * 6 + (i % 4 > 1 ? 9 : 3));
  const Tensor images = Tensor::of<int64_t>({5}, {0, 1, 1, 0, 1});
  for (const char* mode : {"avg", "max"})
    for (const char* shift : {"half_pixel", "output_half_pixel"})
      for (int64_t ratio : {0, 1, 3}) {
        Case c{"RoiAlign",
               {random_tensor(rng, DType::kF32, {2, 3, 11, 9}), rois, images},
               {{"mode", std::string(mode)},
                {"coordinate_transformation_mode", std::string(shift)},
                {"sampling_ratio", ratio},
                {"output_height", int64_t{3}},
                {"output_width", int64_t{4}},
                {"spatial_scale", 0.7}}};
        c.tolerance = 1e-5;
        expect_case(c, "roi_align");
      }
  expect_case({"RoiAlign",
               {random_tensor(rng, DType::kF32, {1, 2, 3, 3}), random_tensor(rng, DType::kF32, {0, 4}),
                Tensor::of<int64_t>({0}, {})}},
              "roi_align");
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {1, 1, 1, 1})};
  EXPECT_EQ(launch_kernel("roi_align",
                          {{"shifted", int64_t{1}}, {"maximum", int64_t{0}}, {"ratio", int64_t{0}}, {"scale", 1.0}},
                          {Tensor::allocate(DType::kF32, {1, 1, 2, 2}), Tensor::allocate(DType::kF32, {1, 4}),
                           Tensor::of<int64_t>({1}, {1})},
                          out)
                .code,
            Code::kInvalidArgument);
}

TEST(RegionBins, OutsideLargeAndSpecial) {
  std::mt19937 rng(7);
  const Tensor images = Tensor::of<int64_t>({6}, {0, 0, 0, 0, 0, 0});
  // Partly outside, all of it, upside down, a point, large (more samples than a table holds), NaN.
  const Tensor rois = Tensor::of<float>(
      {6, 4}, {-9, -5, 6, 4, 90, 90, 95, 99, 8, 6, 2, 1, 3, 3, 3, 3, -900, -800, 900, 800, 1, NAN, 5, 5});
  for (const char* mode : {"avg", "max"})
    for (int64_t ratio : {0, 2}) {
      Tensor x = random_tensor(rng, DType::kF32, {1, 70, 9, 12});
      x.set(5, NAN), x.set(130, NAN), x.set(300, 1e30);
      Case c{"RoiAlign",
             {x, rois, images},
             {{"mode", std::string(mode)},
              {"sampling_ratio", ratio},
              {"output_height", int64_t{7}},
              {"output_width", int64_t{5}}}};
      c.tolerance = 1e-5;
      expect_case(c, "roi_align");
    }
  Case wide{"RoiAlign",
            {random_tensor(rng, DType::kF32, {1, 2, 2, 5000}), Tensor::of<float>({1, 4}, {2, 0, 4900, 2}),
             Tensor::of<int64_t>({1}, {0})},
            {{"sampling_ratio", int64_t{2}}, {"output_width", int64_t{3}}}};
  wide.tolerance = 1e-5;
  expect_case(wide, "roi_align");
}

TEST(RotaryPairs, LayoutsPositionsAndParts) {
  std::mt19937 rng(6);
  const Tensor ids = Tensor::of<int64_t>({2, 3}, {0, 4, 2, 1, 1, 3});
  for (int64_t interleaved : {0, 1})
    for (int64_t part : {0, 4}) {
      const int64_t half = part == 0 ? 4 : 2;
      const Attributes a{{"interleaved", interleaved}, {"rotary_embedding_dim", part}, {"num_heads", int64_t{5}}};
      for (const Dims& dims : {Dims{2, 5, 3, 8}, Dims{2, 3, 40}}) {
        Case c{"RotaryEmbedding",
               {random_tensor(rng, DType::kF32, dims), random_tensor(rng, DType::kF32, {6, half}),
                random_tensor(rng, DType::kF32, {6, half}), ids},
               a};
        c.tolerance = 1e-6;
        expect_case(c, "rotary_embedding");
        c.inputs = {random_tensor(rng, DType::kF32, dims), random_tensor(rng, DType::kF32, {2, 3, half}),
                    random_tensor(rng, DType::kF32, {2, 3, half})};
        expect_case(c, "rotary_embedding");
      }
    }
  expect_case({"RotaryEmbedding",
               {random_tensor(rng, DType::kF32, {2, 5, 0, 8}), random_tensor(rng, DType::kF32, {2, 0, 4}),
                random_tensor(rng, DType::kF32, {2, 0, 4})}},
              "rotary_embedding");
}

// Between the operators of a chain values are what their types hold.
TEST(PointwiseChains, NarrowTypesRoundAndWrap) {
  std::mt19937 rng(4);
  for (DType type : {DType::kF16, DType::kBF16}) {
    Case c{"Cast", {random_tensor(rng, DType::kF32, {3, 70})}, {{"to", std::string(name(type))}}};
    c.posts = {{"Relu"},
               {"Add", {}, {-1, 0}, {random_tensor(rng, type, {3, 70})}},
               {"Mul", {}, {-1, 0}, {random_tensor(rng, type, {70})}},
               {"Cast", {{"to", std::string("float32")}}}};
    expect_case(c, "pointwise");
  }
  for (DType type : {DType::kU8, DType::kI8, DType::kI16, DType::kI32}) {
    Tensor a = random_tensor(rng, type, {2, 300});
    for (int64_t i = 0; i < a.size(); i += 3) a.set_int(i, type == DType::kI32 ? INT32_MAX - 3 : 120);
    Case c{"Add", {a, random_tensor(rng, type, {300})}};
    c.posts = {{"Mul", {}, {-1, 0}, {random_tensor(rng, type, {300})}},
               {"Add", {}, {-1, 0}, {a}},
               {"Cast", {{"to", std::string("float32")}}}};
    expect_case(c, "pointwise");
  }
}

}  // namespace
}  // namespace kiln::testing
