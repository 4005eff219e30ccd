// Operators of ai.onnx.ml: decision trees, labels, categories, support vector machines.
#include "ops/nn_testing.h"
#include "tensor/trees.h"

namespace kiln::nn_testing {
namespace {

// x0 <= 1 ? (x1 > 2 ? leaf 0 : leaf 1) : leaf 2, and a tree that is a leaf.
Trees small_trees() {
  Trees t;
  t.targets = 2;
  t.nodes = {{1, 0, 1, -3, TreeNode::kLessOrEqual, false}, {2, 1, -1, -2, TreeNode::kGreater, true}};
  t.roots = {0, -4};
  t.votes = {{0, 10}, {1, 20}, {0, 30}, {1, 31}, {0, 5}};
  t.leaf_ends = {1, 2, 4, 5};
  return t;
}

std::vector<Tensor> grown(const Trees& trees, const Tensor& x) {
  return run("DecisionTrees", to_attributes(trees), {x});
}

TEST(DecisionTrees, SumsMeansAndExtremes) {
  const float nan = std::nanf("");
  const Tensor x = f32({4, 2}, {1, 3, 1, 2, 2, 0, nan, 0});
  Trees trees = small_trees();
  expect_values(grown(trees, x)[0], {4, 2}, {15, 0, 5, 20, 35, 31, 35, 31});
  trees.aggregate = Trees::kAverage;
  expect_values(grown(trees, x)[0], {4, 2}, {7.5, 0, 2.5, 10, 17.5, 15.5, 17.5, 15.5});
  trees.aggregate = Trees::kMin;
  expect_values(grown(trees, x)[0], {4, 2}, {5, 0, 5, 20, 5, 31, 5, 31});
  trees.aggregate = Trees::kMax;
  trees.base = {100, 200};
  expect_values(grown(trees, x)[0], {4, 2}, {110, 200, 105, 220, 130, 231, 130, 231});
}

TEST(DecisionTrees, EveryComparisonAndMissingValues) {
  const float nan = std::nanf("");
  const Tensor x = f32({4, 1}, {0, 1, 2, nan});
  const std::vector<std::vector<double>> holds = {{1, 1, 0}, {1, 0, 0}, {0, 1, 1}, {0, 0, 1}, {0, 1, 0}, {1, 0, 1}};
  for (int mode = 0; mode < TreeNode::kModeCount; ++mode)
    for (bool missing : {false, true}) {
      Trees t;
      t.targets = 1;
      t.nodes = {{1, 0, -1, -2, static_cast<TreeNode::Mode>(mode), missing}};
      t.roots = {0};
      t.votes = {{0, 1}};
      t.leaf_ends = {1, 1};
      std::vector<double> want = holds[static_cast<size_t>(mode)];
      want.push_back(missing || mode == TreeNode::kNotEqual ? 1 : 0);
      expect_values(grown(t, x)[0], {4, 1}, want);
    }
}

TEST(DecisionTrees, RefusesWhatIsNotSound) {
  const Tensor x = f32({1, 2}, {0, 0});
  const auto refused = [&](const std::function<void(Trees&)>& damage) {
    Trees t = small_trees();
    damage(t);
    EXPECT_THROW(grown(t, x), Error);
  };
  refused([](Trees& t) { t.nodes[1].if_true = 0; });
  refused([](Trees& t) { t.nodes[0].if_true = 0; });
  refused([](Trees& t) { t.nodes[0].if_true = 2; });
  refused([](Trees& t) { t.nodes[0].if_false = -5; });
  refused([](Trees& t) { t.roots[0] = 7; });
  refused([](Trees& t) { t.votes[0].target = 2; });
  refused([](Trees& t) { t.leaf_ends[3] = 6; });
  refused([](Trees& t) { t.leaf_ends[0] = 3; });
  refused([](Trees& t) { t.nodes[0].feature = -1; });
  refused([](Trees& t) { t.nodes[0].feature = 2; });
  refused([](Trees& t) { t.base = {1}; });
  refused([](Trees& t) { t.targets = 0; });
  EXPECT_EQ(grown(small_trees(), f32({0, 2}, {}))[0].dims(), (Dims{0, 2}));
}

Tensor encoded(const Tensor& keys, const Tensor& values, const Tensor& other, const Tensor& x) {
  return run("LabelEncoder", {{"keys_tensor", keys}, {"values_tensor", values}, {"default_tensor", other}}, {x})[0];
}

TEST(LabelEncoder, EveryKindOfKey) {
  const Tensor words = Tensor::strings({3}, {"a", "b", "a"}), ints = Tensor::of<int64_t>({3}, {1, 2, 3}),
               other = Tensor::of<int64_t>({1}, {-1});
  EXPECT_EQ(encoded(words, ints, other, Tensor::strings({2, 2}, {"a", "b", "c", ""})).to_ints(), (Ints{3, 2, -1, -1}));
  EXPECT_EQ(encoded(ints, words, Tensor::strings({}, {"?"}), ints).string_values(), (Strings{"a", "b", "a"}));
  const float nan = std::nanf("");
  EXPECT_EQ(encoded(f32({3}, {nan, 0, 1.5f}), ints, other, f32({4}, {-nan, -0.0f, 1.5f, 1})).to_ints(),
            (Ints{1, 2, 3, -1}));
  EXPECT_EQ(
      encoded(Tensor::of<int16_t>({1}, {-7}), f32({1}, {2.5f}), f32({1}, {0}), Tensor::of<int16_t>({2}, {-7, 7})).at(0),
      2.5);
  EXPECT_EQ(encoded(ints, ints, other, Tensor::of<int64_t>({0}, {})).size(), 0);
  EXPECT_THROW(encoded(ints, ints, other, words), Error);
  EXPECT_THROW(encoded(ints, f32({2}, {1, 2}), f32({1}, {0}), ints), Error);
  EXPECT_THROW(encoded(ints, ints, f32({1}, {0}), ints), Error);
}

TEST(OneHotEncoder, NumbersAndWords) {
  const Attributes numbers{{"cats_int64s", Ints{3, 5}}};
  expect_values(run("OneHotEncoder", numbers, {f32({3}, {5.9f, 3, 4})})[0], {3, 2}, {0, 1, 1, 0, 0, 0});
  expect_values(run("OneHotEncoder", {{"cats_strings", Strings{"x", "y"}}}, {Tensor::strings({1, 2}, {"y", "x"})})[0],
                {1, 2, 2}, {0, 1, 1, 0});
  EXPECT_THROW(run("OneHotEncoder", {{"cats_int64s", Ints{3}}, {"zeros", int64_t{0}}}, {f32({1}, {4})}), Error);
  EXPECT_THROW(run("OneHotEncoder", {}, {f32({1}, {4})}), Error);
  EXPECT_THROW(run("OneHotEncoder", numbers, {Tensor::strings({1}, {"3"})}), Error);
}

TEST(SvmRegressor, KernelsAndLinear) {
  const Tensor x = f32({2, 2}, {1, 2, 3, 4});
  const Attributes base{{"n_supports", int64_t{2}},
                        {"coefficients", Floats{1, -1}},
                        {"support_vectors", Floats{1, 0, 0, 1}},
                        {"rho", Floats{0.5}},
                        {"kernel_params", Floats{0.5, 1, 2}}};
  const auto score = [&](const char* type, auto kernel) {
    Attributes a = base;
    a.set("kernel_type", std::string(type));
    std::vector<double> want;
    for (const auto& row : {std::pair{1.0, 2.0}, std::pair{3.0, 4.0}})
      want.push_back(0.5 + kernel(row.first, row.second, 1, 0) - kernel(row.first, row.second, 0, 1));
    expect_values(run("SVMRegressor", a, {x})[0], {2, 1}, want);
  };
  score("LINEAR", [](double a, double b, double c, double d) { return a * c + b * d; });
  score("POLY", [](double a, double b, double c, double d) { return std::pow(0.5 * (a * c + b * d) + 1, 2); });
  score("RBF", [](double a, double b, double c, double d) {
    return std::exp(-0.5 * ((a - c) * (a - c) + (b - d) * (b - d)));
  });
  score("SIGMOID", [](double a, double b, double c, double d) { return std::tanh(0.5 * (a * c + b * d) + 1); });
  expect_values(run("SVMRegressor", {{"coefficients", Floats{2, -1}}, {"rho", Floats{-1}}}, {x})[0], {2, 1}, {-1, 1});
  expect_values(
      run("SVMRegressor", {{"coefficients", Floats{2, -1}}, {"rho", Floats{-1}}, {"one_class", int64_t{1}}}, {x})[0],
      {2, 1}, {-1, 1});
  EXPECT_THROW(run("SVMRegressor", base, {f32({1, 3}, {1, 2, 3})}), Error);
  Attributes wrong = base;
  wrong.set("kernel_type", std::string("COSINE"));
  EXPECT_THROW(run("SVMRegressor", wrong, {x}), Error);
}

TEST(SvmClassifier, LinearAndDuels) {
  const Attributes linear{
      {"classlabels_ints", Ints{5, 6, 7}}, {"coefficients", Floats{1, 0, 0, 1, 1, 1}}, {"rho", Floats{0.5}}};
  auto y = run("SVMClassifier", linear, {f32({2, 2}, {1, -2, -3, 4})}, 2);
  EXPECT_EQ(y[0].to_ints(), (Ints{5, 6}));
  expect_values(y[1], {2, 3}, {1.5, -1.5, -0.5, -2.5, 4.5, 1.5});
  Attributes duel{{"classlabels_strings", Strings{"no", "yes"}},
                  {"coefficients", Floats{1, -1}},
                  {"rho", Floats{0.25}},
                  {"support_vectors", Floats{1, 0, 0, 1}},
                  {"vectors_per_class", Ints{1, 1}}};
  y = run("SVMClassifier", duel, {f32({2, 2}, {1, 0, 0, 1})}, 2);
  EXPECT_EQ(y[0].string_values(), (Strings{"no", "yes"}));
  expect_values(y[1], {2, 2}, {-1.25, 1.25, 0.75, -0.75});
  duel.set("prob_a", Floats{-1});
  duel.set("prob_b", Floats{0});
  y = run("SVMClassifier", duel, {f32({1, 2}, {1, 0})}, 2);
  const double p = 1 - 1 / (1 + std::exp(1.25));
  expect_values(y[1], {1, 2}, {p, 1 - p}, 1e-2);
  duel.set("rho", Floats{});
  EXPECT_THROW(run("SVMClassifier", duel, {f32({1, 2}, {1, 0})}, 2), Error);
}

}  // namespace
}  // namespace kiln::nn_testing
