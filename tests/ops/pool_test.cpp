// The poolings.
#include <limits>
#include <random>

#include "base/work.h"
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

// The positions of the window of output `o`, in the order of a row-major walk; one entry per axis.
struct Windows {
  Dims in, out, kernel;
  Ints strides, dilations, begin;
  std::vector<int64_t> positions(int64_t output) const {
    std::vector<int64_t> found{0};
    int64_t inner = 1;
    for (size_t i = 0; i < in.size(); ++i) inner *= out[i];
    for (size_t i = 0; i < in.size(); ++i) {
      inner /= out[i];
      const int64_t o = output / inner % out[i];
      std::vector<int64_t> next;
      for (const int64_t before : found)
        for (int64_t t = 0; t < kernel[i]; ++t)
          if (const int64_t at = o * strides[i] - begin[i] + t * dilations[i]; at >= 0 && at < in[i])
            next.push_back(before * in[i] + at);
      found = next;
    }
    return found;
  }
};

TEST(Pools, WindowsByThemselves) {
  std::mt19937 random(1);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % (high - low + 1)); };
  for (int round = 0; round < 200; ++round) {
    const size_t rank = static_cast<size_t>(pick(1, 3));
    Windows w;
    Ints pads;
    for (size_t i = 0; i < rank; ++i) {
      w.kernel.push_back(pick(1, 5));
      w.strides.push_back(pick(1, 3));
      w.dilations.push_back(pick(1, 3));
      w.begin.push_back(pick(0, 4));
      w.in.push_back(pick(1, 4) + (w.kernel[i] - 1) * w.dilations[i]);
    }
    pads = w.begin;
    for (size_t i = 0; i < rank; ++i) pads.push_back(pick(0, 4));
    for (size_t i = 0; i < rank; ++i)
      w.out.push_back((w.in[i] + pads[i] + pads[rank + i] - (w.kernel[i] - 1) * w.dilations[i] - 1) / w.strides[i] + 1);
    Dims dims{2, 1};
    dims.insert(dims.end(), w.in.begin(), w.in.end());
    Tensor x = Tensor::allocate(DType::kF32, dims);
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t kind = pick(0, 40);
      x.set(i, kind == 0   ? kNan
               : kind == 1 ? std::numeric_limits<float>::infinity()
               : kind == 2 ? -std::numeric_limits<float>::infinity()
                           : static_cast<double>(pick(-3, 3)));
    }
    const Attributes a{{"kernel_shape", w.kernel}, {"strides", w.strides}, {"dilations", w.dilations}, {"pads", pads}};
    const std::vector<Tensor> most = run("MaxPool", a, {x}, 2);
    const Tensor mean = run("AveragePool", a, {x})[0], norm = run("LpPool", a, {x})[0];
    const int64_t plane = x.size() / 2, outputs = mean.size() / 2;
    std::vector<double> values, places, means, norms;
    for (int64_t i = 0; i < mean.size(); ++i) {
      double best = -std::numeric_limits<double>::infinity(), place = -1, sum = 0, squares = 0;
      const std::vector<int64_t> window = w.positions(i % outputs);
      for (const int64_t at : window) {
        const double v = x.at(i / outputs * plane + at);
        sum += v;
        squares += v * v;
        if (place >= 0 && (v <= best || std::isnan(best))) continue;
        best = v;
        place = static_cast<double>(i / outputs * plane + at);
      }
      values.push_back(best);
      places.push_back(place);
      means.push_back(sum / static_cast<double>(window.size()));
      norms.push_back(std::sqrt(squares));
    }
    expect_values(most[0], mean.dims(), values, 0);
    expect_values(most[1], mean.dims(), places, 0);
    expect_values(mean, mean.dims(), means);
    expect_values(norm, mean.dims(), norms);
  }
}

// A million windows of a million elements: the work is that of the elements, counted.
TEST(Pools, LongWindowsAreNotMoreWork) {
  constexpr int64_t kMany = int64_t{1} << 20;
  const Tensor x = counting({1, 1, kMany});
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
    const WorkScope scope({.name = "the pooling", .most_rounds = 4 * kMany});
    const Tensor y = run(op, {{"kernel_shape", Ints{kMany}}, {"pads", Ints{kMany / 2, kMany / 2 - 1}}}, {x})[0];
    EXPECT_EQ(y.size(), kMany);
    if (std::string(op) == "MaxPool") {
      EXPECT_EQ(y.at(0), kMany / 2);
    }
  }
  const Tensor image = counting({1, 1, 1024, 1});
  const WorkScope scope({.name = "the pooling", .most_rounds = 4 * kMany});
  const Attributes wide{{"kernel_shape", Ints{1024, 1024}}, {"pads", Ints{0, 1023, 0, 1023}}};
  EXPECT_EQ(run("MaxPool", wide, {image})[0].dims(), (Dims{1, 1, 1, 1024}));
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
