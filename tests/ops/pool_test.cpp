// The poolings.
#include <limits>

#include "ops/nn_testing.h"

namespace kiln::nn_testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(MaxPool, ValuesAndIndices) {
  const Tensor x = f32({1, 1, 3, 3}, {1, 9, 3, 4, 5, 6, 7, 8, 9});
  auto y = run("MaxPool", {{"kernel_shape", Ints{2, 2}}}, {x}, 2);
  expect_values(y[0], {1, 1, 2, 2}, {9, 9, 8, 9});
  expect_values(y[1], {1, 1, 2, 2}, {1, 1, 7, 8});
  y = run("MaxPool", {{"kernel_shape", Ints{2, 2}}, {"storage_order", int64_t{1}}}, {x}, 2);
  expect_values(y[1], {1, 1, 2, 2}, {3, 3, 5, 8});
  EXPECT_EQ(y[1].dtype(), DType::kI64);
}

TEST(MaxPool, NegativeValuesNanAndTypes) {
  expect_values(run("MaxPool", {{"kernel_shape", Ints{3}}, {"pads", Ints{1, 1}}}, {f32({1, 1, 3}, {-3, -2, -5})})[0],
                {1, 1, 3}, {-2, -2, -2});
  expect_values(run("MaxPool", {{"kernel_shape", Ints{2}}}, {f32({1, 1, 4}, {1, kNan, 3, 4})})[0], {1, 1, 3},
                {kNan, kNan, 4});
  const Tensor i8 =
      run("MaxPool", {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 0}}}, {Tensor::of<int8_t>({1, 1, 2}, {-128, -7})})[0];
  EXPECT_EQ(i8.dtype(), DType::kI8);
  expect_values(i8, {1, 1, 2}, {-128, -7});
}

TEST(MaxPool, CeilModeStartsInsideTheInput) {
  const Attributes a = {{"kernel_shape", Ints{1}}, {"strides", Ints{2}}, {"ceil_mode", int64_t{1}}};
  expect_values(run("MaxPool", a, {f32({1, 1, 4}, {1, 2, 3, 4})})[0], {1, 1, 2}, {1, 3});
  EXPECT_EQ(shapes("MaxPool", {{"kernel_shape", Ints{3}}, {"strides", Ints{2}}, {"ceil_mode", int64_t{1}}},
                   {{{"n", "c", "6"}}}, 2),
            (Strs{"float32[n,c,3]", "int64[n,c,3]"}));
}

TEST(AveragePool, Divisors) {
  const Tensor x = f32({1, 1, 3}, {3, 6, 12});
  const Attributes base = {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 1}}};
  Attributes included = base;
  included.set("count_include_pad", int64_t{1});
  expect_values(run("AveragePool", base, {x})[0], {1, 1, 4}, {3, 4.5, 9, 12});
  expect_values(run("AveragePool", included, {x})[0], {1, 1, 4}, {1.5, 4.5, 9, 6});
  const Attributes beyond = {
      {"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"ceil_mode", int64_t{1}}, {"count_include_pad", int64_t{1}}};
  expect_values(run("AveragePool", beyond, {x})[0], {1, 1, 2}, {4.5, 12});
  expect_values(run("AveragePool", {{"kernel_shape", Ints{2}}, {"dilations", Ints{2}}}, {x})[0], {1, 1, 1}, {7.5});
}

TEST(Pools, GlobalAndNorms) {
  const Tensor x = f32({1, 2, 2}, {3, -4, 6, 8});
  expect_values(run("GlobalAveragePool", {}, {x})[0], {1, 2, 1}, {-0.5, 7});
  expect_values(run("GlobalMaxPool", {}, {x})[0], {1, 2, 1}, {3, 8});
  expect_values(run("GlobalLpPool", {}, {x})[0], {1, 2, 1}, {5, 10});
  expect_values(run("GlobalLpPool", {{"p", int64_t{1}}}, {x})[0], {1, 2, 1}, {7, 14});
  expect_values(run("LpPool", {{"kernel_shape", Ints{2}}, {"pads", Ints{0, 1}}}, {x})[0], {1, 2, 2}, {5, 4, 10, 8});
  expect_values(run("GlobalMaxPool", {}, {f32({1, 1, 2}, {kNan, 1})})[0], {1, 1, 1}, {kNan});
  EXPECT_EQ(shapes("GlobalAveragePool", {}, {{{"n", "c", "h", "w"}}}), Strs{"float32[n,c,1,1]"});
  EXPECT_EQ(run("GlobalMaxPool", {}, {f32({0, 2, 3}, {})})[0].size(), 0);
}

TEST(MaxUnpool, PutsValuesBack) {
  const Tensor x = f32({1, 1, 2}, {5, 6}), i = Tensor::of<int64_t>({1, 1, 2}, {1, 2});
  const Attributes a = {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}};
  expect_values(run("MaxUnpool", a, {x, i})[0], {1, 1, 4}, {0, 5, 6, 0});
  expect_values(run("MaxUnpool", a, {x, i, Tensor::of<int64_t>({3}, {1, 1, 5})})[0], {1, 1, 5}, {0, 5, 6, 0, 0});
  EXPECT_THROW(run("MaxUnpool", a, {x, Tensor::of<int64_t>({1, 1, 2}, {1, 4})}), Error);
}

TEST(MaxRoiPool, Cells) {
  const Tensor x = counting({1, 1, 4, 4});
  expect_values(run("MaxRoiPool", {{"pooled_shape", Ints{2, 2}}}, {x, f32({1, 5}, {0, 0, 0, 3, 3})})[0], {1, 1, 2, 2},
                {6, 8, 14, 16});
  EXPECT_THROW(run("MaxRoiPool", {{"pooled_shape", Ints{2, 2}}}, {x, f32({1, 5}, {1, 0, 0, 3, 3})}), Error);
}

TEST(Pools, Errors) {
  EXPECT_THROW(shapes("MaxPool", {}, {{{"1", "1", "4"}}}), Error);
  EXPECT_THROW(shapes("MaxPool", {{"kernel_shape", Ints{2, 2}}}, {{{"1", "1", "4"}}}), Error);
  EXPECT_THROW(shapes("AveragePool", {{"kernel_shape", Ints{2}}, {"pads", Ints{1}}}, {{{"1", "1", "4"}}}), Error);
  EXPECT_THROW(shapes("AveragePool", {{"kernel_shape", Ints{2}}}, {{{"1", "1", "4"}, DType::kI32}}), Error);
}

}  // namespace
}  // namespace kiln::nn_testing
