// Resize, GridSample, AffineGrid.
#include <limits>

#include "ops/nn_testing.h"

namespace kiln::nn_testing {
namespace {

Tensor resized(Attributes a, const Tensor& x, std::vector<float> scales) {
  const auto n = static_cast<int64_t>(scales.size());
  return run("Resize", a, {x, Tensor(), f32({n}, std::move(scales))})[0];
}

TEST(Resize, Nearest) {
  const Tensor x = f32({1, 3}, {1, 2, 3});
  expect_values(resized({}, x, {1, 2}), {1, 6}, {1, 1, 2, 2, 3, 3});
  const Attributes asymmetric = {{"coordinate_transformation_mode", std::string("asymmetric")},
                                 {"nearest_mode", std::string("ceil")}};
  expect_values(resized(asymmetric, x, {1, 2}), {1, 6}, {1, 2, 2, 3, 3, 3});
  const Tensor words = run("Resize", {}, {Tensor::strings({2}, {"a", "b"}), Tensor(), f32({1}, {1.5})})[0];
  EXPECT_EQ(words.string_values(), (std::vector<std::string>{"a", "a", "b"}));
  EXPECT_EQ(run("Resize", {}, {Tensor::of<int64_t>({1}, {INT64_MAX}), Tensor(), f32({1}, {2})})[0].int_at(1),
            INT64_MAX);
}

TEST(Resize, LinearCubicAndTypes) {
  const Attributes linear = {{"mode", std::string("linear")}};
  expect_values(resized(linear, f32({2}, {0, 4}), {2}), {4}, {0, 1, 3, 4});
  expect_values(resized(linear, Tensor::of<uint8_t>({2}, {0, 6}), {2}), {4}, {0, 2, 4, 6});  // 1.5 and 4.5 go to even
  expect_values(resized({{"mode", std::string("linear")}, {"antialias", int64_t{1}}}, f32({4}, {0, 0, 8, 8}), {0.5}),
                {2}, {1, 7});
  expect_values(resized({{"mode", std::string("cubic")}}, f32({4}, {5, 5, 5, 5}), {1.5}), {6}, {5, 5, 5, 5, 5, 5});
  const Tensor u8 = resized({{"mode", std::string("cubic")}}, Tensor::of<uint8_t>({4}, {0, 0, 255, 255}),
                            {2});  // overshoot is clamped
  EXPECT_EQ(u8.int_at(2), 0);
  EXPECT_EQ(u8.int_at(5), 255);
}

TEST(Resize, CropAndSizes) {
  const Attributes crop = {{"mode", std::string("linear")},
                           {"coordinate_transformation_mode", std::string("tf_crop_and_resize")},
                           {"extrapolation_value", 9.0}};
  expect_values(
      run("Resize", crop, {f32({3}, {1, 2, 3}), f32({2}, {0.5, 1.5}), Tensor(), Tensor::of<int64_t>({1}, {3})})[0], {3},
      {2, 3, 9});
  const Attributes keep = {{"axes", Ints{1, 2}}, {"keep_aspect_ratio_policy", std::string("not_larger")}};
  EXPECT_EQ(run("Resize", keep, {counting({1, 2, 4}), Tensor(), Tensor(), Tensor::of<int64_t>({2}, {6, 6})})[0].dims(),
            (Dims{1, 3, 6}));
}

TEST(Resize, Shapes) {
  const Known none{{}, DType::kInvalid}, scales{{}, DType::kF32, f32({3}, {1, 2, 0.5})};
  EXPECT_EQ(shapes("Resize", {}, {{{"n", "h", "w"}}, none, scales}), Strs{"float32[n,2*h,floor_div(w, 2)]"});
  EXPECT_EQ(
      shapes("Resize", {}, {{{"n", "h", "w"}}, none, none, {{}, DType::kI64, Tensor::of<int64_t>({3}, {1, 5, 7})}}),
      Strs{"float32[1,5,7]"});
  EXPECT_THROW(shapes("Resize", {}, {{{"n", "h", "w"}}, none, none}), Error);
  EXPECT_THROW(shapes("Resize", {}, {{{"n", "h"}}, none, scales}), Error);
}

TEST(GridSample, ModesAndPadding) {
  const Tensor x = f32({1, 1, 3}, {1, 2, 4});
  const auto sample = [&](const char* mode, const char* padding, std::vector<float> at) {
    const auto n = static_cast<int64_t>(at.size());
    return run("GridSample",
               {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}, {"align_corners", int64_t{1}}},
               {x, f32({1, n, 1}, std::move(at))})[0];
  };
  expect_values(sample("linear", "zeros", {-1, -0.5, 1, 1.5, 9}), {1, 1, 5}, {1, 1.5, 4, 2, 0});
  expect_values(sample("linear", "border", {-3, 3}), {1, 1, 2}, {1, 4});
  expect_values(sample("nearest", "reflection", {-2, 2, 0.4f}), {1, 1, 3}, {2, 2, 2});
  expect_values(sample("cubic", "border", {0}), {1, 1, 1}, {2});
  expect_values(sample("linear", "zeros", {std::numeric_limits<float>::infinity()}), {1, 1, 1}, {0});
  EXPECT_EQ(shapes("GridSample", {}, {{{"n", "c", "h", "w"}}, {{"n", "a", "b", "2"}}}), Strs{"float32[n,c,a,b]"});
  EXPECT_THROW(shapes("GridSample", {}, {{{"n", "c", "h", "w"}}, {{"n", "a", "b", "3"}}}), Error);
}

TEST(AffineGrid, IdentityAndShift) {
  const Tensor theta = f32({1, 2, 3}, {1, 0, 0, 0, 1, 0.5}), size = Tensor::of<int64_t>({4}, {1, 1, 2, 2});
  expect_values(run("AffineGrid", {}, {theta, size})[0], {1, 2, 2, 2}, {-0.5, 0, 0.5, 0, -0.5, 1, 0.5, 1});
  EXPECT_EQ(shapes("AffineGrid", {}, {{{"n", "2", "3"}}, {{"4"}, DType::kI64}}),
            Strs{"float32[n,'?n.0.1','?n.0.2',2]"});
}

}  // namespace
}  // namespace kiln::nn_testing
