// Softmax and normalisations.
#include <gtest/gtest.h>

#include <cmath>

#include "backends/harness.h"

namespace kiln::testing {
namespace {

Case with(Case c, double tolerance) {
  c.tolerance = tolerance;
  return c;
}

TEST(Softmax, AxesLayoutsAndEmptyTensors) {
  std::mt19937 rng(1);
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (int64_t axis : {-1, 0, 1, 2})
      expect_case(with({op, {random_tensor(rng, DType::kF32, {3, 37, 19})}, {{"axis", axis}}}, 2e-6), "softmax");
    expect_case(with({op, {random_tensor(rng, DType::kF32, {3, 0})}}, 2e-6), "softmax");
    expect_case(
        with({op, {channels_last(random_tensor(rng, DType::kF32, {2, 9, 5, 6}))}, {{"axis", int64_t{1}}}}, 2e-6),
        "softmax");
    Case gaps = with({op, {gapped(random_tensor(rng, DType::kF32, {7, 31}))}}, 2e-6);
    gaps.gapped_outputs = true;
    expect_case(gaps, "softmax");
    expect_case(with({op, {dynamic(random_tensor(rng, DType::kF32, {4, 11}), {Dim::symbol("batch"), 11})}}, 2e-6),
                "softmax");
  }
  EXPECT_TRUE(check_case({"Softmax", {random_tensor(rng, DType::kF16, {3, 4})}}, "softmax").empty());
}

TEST(Softmax, Float64) {
  std::mt19937 rng(22);
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (const Dims& dims : {Dims{3, 37, 19}, Dims{1, 1, 1}, Dims{2, 130, 3}, Dims{2, 0, 3}, Dims{0, 4, 4}})
      for (int64_t axis : {-1, 0, 1})
        expect_case(with({op, {random_tensor(rng, DType::kF64, dims)}, {{"axis", axis}}}, 1e-14), "softmax");
    Tensor special = random_tensor(rng, DType::kF64, {4, 9});
    special.set(1, -INFINITY), special.set(10, NAN), special.set(20, 800), special.set(21, -800),
        special.set(30, INFINITY);
    for (int64_t axis : {0, 1}) expect_case(with({op, {special}, {{"axis", axis}}}, 1e-14), "softmax");
    expect_case(with({op, {dynamic(random_tensor(rng, DType::kF64, {4, 11}), {Dim::symbol("batch"), 11})}}, 1e-14),
                "softmax");
  }
}

TEST(LayerNormalization, StatisticsAndShapes) {
  std::mt19937 rng(2);
  const auto x = [&](Dims d) { return random_tensor(rng, DType::kF32, std::move(d)); };
  expect_case(with({"LayerNormalization", {x({5, 7, 96}), x({96}), x({96})}}, 1e-5), "row_norm");
  expect_case(with({"LayerNormalization", {x({5, 7, 33}), x({7, 33})}, {{"axis", int64_t{1}}}, 3}, 1e-5), "row_norm");
  expect_case(with({"LayerNormalization", {gapped(x({5, 33})), x({33}), x({33})}, {{"epsilon", 0.1}}, 2}, 1e-5),
              "row_norm");
  expect_case(with({"RMSNormalization", {x({4, 65}), x({65})}}, 1e-5), "row_norm");
  EXPECT_TRUE(check_case({"LayerNormalization", {x({4, 6}), x({1})}}, "row_norm").empty());
}

TEST(LayerNormalization, Float64) {
  std::mt19937 rng(23);
  const auto x = [&](Dims d) { return random_tensor(rng, DType::kF64, std::move(d)); };
  for (int64_t n : {1, 7, 8, 33, 96, 5000})
    expect_case(with({"LayerNormalization", {x({5, n}), x({n}), x({n})}}, 1e-12), "row_norm");
  expect_case(with({"LayerNormalization", {gapped(x({5, 33})), x({33})}, {{"epsilon", 0.1}}}, 1e-12), "row_norm");
  expect_case(with({"LayerNormalization", {x({0, 33}), x({33})}}, 1e-12), "row_norm");
  const Attributes own{{"stash_type", std::string("float64")}};
  expect_case(with({"LayerNormalization", {x({5, 33}), x({33}), x({33})}, own, 3}, 1e-12), "row_norm");
  expect_case(with({"RMSNormalization", {x({4, 65}), x({65})}}, 1e-12), "row_norm");
  // Statistics of another type.
  EXPECT_TRUE(check_case({"LayerNormalization", {x({4, 6}), x({6})}, {}, 3}, "row_norm").empty());
}

TEST(GroupNormalization, ChannelsFirstAndLast) {
  std::mt19937 rng(3);
  const auto x = [&](Dims d) { return random_tensor(rng, DType::kF32, std::move(d)); };
  const Attributes groups{{"num_groups", int64_t{3}}};
  expect_case(with({"GroupNormalization", {x({2, 12, 5, 7}), x({12}), x({12})}, groups}, 1e-5), "group_norm");
  Case last = with({"GroupNormalization", {channels_last(x({2, 12, 5, 7})), x({12}), x({12})}, groups}, 1e-5);
  expect_case(last, "group_norm");
  last.output_layouts = {Layout::channels_last(4)};
  expect_case(last, "group_norm");
  expect_case(with({"InstanceNormalization", {x({3, 5, 11}), x({5}), x({5})}}, 1e-5), "group_norm");
  expect_case(with({"InstanceNormalization", {x({3, 5, 40, 40}), x({5}), x({5})}, {{"epsilon", 1e-3}}}, 1e-5),
              "group_norm");
}

TEST(BatchNormalization, ConstantStatistics) {
  std::mt19937 rng(4);
  const auto x = [&](Dims d) { return random_tensor(rng, DType::kF32, std::move(d)); };
  Tensor variance = x({7});
  for (float& v : variance.as_mutable<float>()) v = v * v + 0.1f;
  for (const Dims& dims : {Dims{2, 7, 5, 6}, Dims{3, 7}, Dims{1, 7, 40}})
    expect_case(with({"BatchNormalization",
                      {x(dims), constant(x({7})), constant(x({7})), constant(x({7})), constant(variance)}},
                     1e-5),
                "channel_affine");
  Case last =
      with({"BatchNormalization",
            {channels_last(x({2, 7, 5, 6})), constant(x({7})), constant(x({7})), constant(x({7})), constant(variance)},
            {{"epsilon", 0.01}}},
           1e-5);
  last.output_layouts = {Layout::channels_last(4)};
  expect_case(last, "channel_affine");
}

TEST(ChannelNeighbours, SizesPowersAndLayouts) {
  std::mt19937 rng(21);
  for (int64_t size : {1, 2, 3, 5, 50})
    for (double beta : {0.75, 0.5, 1.3})
      for (const Dims& dims : {Dims{2, 7, 19, 17}, Dims{3, 9}, Dims{1, 4, 300}, Dims{2, 0, 3}}) {
        Case c{"LRN", {random_tensor(rng, DType::kF32, dims)}, {{"size", size}, {"beta", beta}, {"alpha", 0.3}}};
        c.tolerance = 2e-6;
        expect_case(c, "lrn");
      }
  for (int64_t size : {1, 4, 5, 1000}) {
    Case last{"LRN", {channels_last(random_tensor(rng, DType::kF32, {2, 530, 5, 4}))}, {{"size", size}}};
    last.output_layouts = {Layout::channels_last(4)};
    last.tolerance = 2e-6;
    expect_case(last, "lrn");
  }
  expect_no_case({"LRN", {random_tensor(rng, DType::kF16, {2, 6})}, {{"size", int64_t{3}}}}, "lrn");
}

TEST(HardmaxAxis, TiesNansAndAxes) {
  std::mt19937 rng(22);
  for (int64_t axis : {0, 1, -1}) {
    expect_case({"Hardmax", {random_tensor(rng, DType::kF32, {5, 30, 7})}, {{"axis", axis}}}, "hardmax");
    expect_case({"Hardmax", {gapped(random_tensor(rng, DType::kF32, {3, 4}))}, {{"axis", axis}}}, "hardmax");
    Tensor ties = Tensor::allocate(DType::kF32, {4, 4});
    for (int64_t i : {3, 6, 9}) ties.set(i, std::nan(""));
    expect_case({"Hardmax", {ties}, {{"axis", axis}}}, "hardmax");
    expect_case({"Hardmax", {Tensor::allocate(DType::kF32, {4, 0, 3})}, {{"axis", axis}}}, "hardmax");
  }
  expect_no_case({"Hardmax", {random_tensor(rng, DType::kF16, {3, 4})}}, "hardmax");
}

}  // namespace
}  // namespace kiln::testing
