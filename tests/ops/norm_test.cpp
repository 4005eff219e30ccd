// The normalisations.
#include "ops/nn_testing.h"

namespace kiln::nn_testing {
namespace {

TEST(BatchNormalization, InferenceAndTraining) {
  const Tensor x = f32({2, 2, 1}, {1, 10, 3, 30}), scale = f32({2}, {2, 1}), b = f32({2}, {0, 1}),
               mean = f32({2}, {1, 10}), var = f32({2}, {4, 100});
  expect_values(run("BatchNormalization", {{"epsilon", 0.0}}, {x, scale, b, mean, var})[0], {2, 2, 1}, {0, 1, 2, 3});
  const auto y = run("BatchNormalization", {{"epsilon", 0.0}, {"training_mode", int64_t{1}}, {"momentum", 0.5}},
                     {x, scale, b, mean, var}, 3);
  expect_values(y[0], {2, 2, 1}, {-2, 0, 2, 2});
  expect_values(y[1], {2}, {1.5, 15});
  expect_values(y[2], {2}, {2.5, 100});
  EXPECT_THROW(run("BatchNormalization", {}, {x, scale, b, mean, var}, 3), Error);
  EXPECT_THROW(shapes("BatchNormalization", {}, {{{"n", "3", "h"}}, {{"2"}}, {{"3"}}, {{"3"}}, {{"3"}}}), Error);
}

TEST(LayerNormalization, StatisticsAndTypes) {
  const Tensor x = f32({2, 2}, {1, 3, 10, 30}), scale = f32({2}, {1, 2}), b = f32({2}, {0, 5});
  const auto y = run("LayerNormalization", {{"epsilon", 0.0}}, {x, scale, b}, 3);
  expect_values(y[0], {2, 2}, {-1, 7, -1, 7});
  expect_values(y[1], {2, 1}, {2, 20});
  expect_values(y[2], {2, 1}, {1, 0.1});
  EXPECT_EQ(shapes("LayerNormalization", {{"axis", int64_t{1}}},
                   {{{"n", "s", "8"}, DType::kF16}, {{"s", "8"}, DType::kF16}}, 3),
            (Strs{"float16[n,s,8]", "float32[n,1,1]", "float32[n,1,1]"}));
  EXPECT_THROW(shapes("LayerNormalization", {{"axis", int64_t{3}}}, {{{"n", "s", "8"}}, {{"8"}}}), Error);
}

TEST(Norms, Values) {
  const Tensor x = f32({1, 2, 2}, {3, 5, 10, 30}), one = f32({2}, {1, 1}), zero = f32({2}, {0, 0});
  expect_values(run("InstanceNormalization", {{"epsilon", 0.0}}, {x, f32({2}, {1, 2}), f32({2}, {0, 1})})[0], {1, 2, 2},
                {-1, 1, -1, 3});
  expect_values(run("GroupNormalization", {{"epsilon", 0.0}, {"num_groups", int64_t{2}}}, {x, one, zero})[0], {1, 2, 2},
                {-1, 1, -1, 1});
  expect_values(
      run("GroupNormalization", {{"epsilon", 0.0}, {"num_groups", int64_t{1}}}, {f32({1, 2, 1}, {1, 3}), one, zero})[0],
      {1, 2, 1}, {-1, 1});
  expect_values(run("RMSNormalization", {{"epsilon", 0.0}}, {f32({2}, {3, 4}), f32({2}, {1, 2})})[0], {2},
                {3 / std::sqrt(12.5), 8 / std::sqrt(12.5)});
  expect_values(run("LpNormalization", {}, {f32({2, 2}, {3, 4, 0, 0})})[0], {2, 2}, {0.6, 0.8, 0, 0});
  expect_values(run("LpNormalization", {{"p", int64_t{1}}, {"axis", int64_t{0}}}, {f32({2, 2}, {3, 4, -1, 0})})[0],
                {2, 2}, {0.75, 1, -0.25, 0});
  expect_values(run("MeanVarianceNormalization", {{"axes", Ints{0, 2}}}, {f32({1, 1, 2}, {1, 3})})[0], {1, 1, 2},
                {-1, 1});
  expect_values(run("LRN", {{"size", int64_t{3}}, {"alpha", 3.0}, {"beta", 1.0}}, {f32({1, 3, 1}, {1, 2, 3})})[0],
                {1, 3, 1}, {1 / 6.0, 2 / 15.0, 3 / 14.0});
  EXPECT_THROW(shapes("GroupNormalization", {{"num_groups", int64_t{3}}}, {{{"n", "4", "h"}}, {{"4"}}, {{"4"}}}),
               Error);
}

}  // namespace
}  // namespace kiln::nn_testing
