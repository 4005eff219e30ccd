// Ensembles of decision trees on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "cuda/cases.h"
#include "tensor/trees.h"

namespace kiln::cuda::testing {
namespace {

// Full trees of that depth whose leaves vote for a target each, the first of them for two.
Trees grown(int64_t count, int depth, int64_t features, int64_t targets, Trees::Aggregate aggregate, unsigned seed) {
  std::minstd_rand random(seed + 1);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const auto below = [&](int64_t n) { return static_cast<int32_t>(random() % static_cast<unsigned>(n)); };
  Trees trees;
  trees.aggregate = aggregate;
  trees.targets = targets;
  trees.features = features;
  const int32_t inner = (1 << depth) - 1;
  for (int64_t t = 0; t < count; ++t) {
    const auto first = static_cast<int32_t>(trees.nodes.size()),
               first_leaf = static_cast<int32_t>(trees.leaf_ends.size());
    trees.roots.push_back(inner > 0 ? first : -1 - first_leaf);
    for (int32_t i = 0; i < inner; ++i) {
      const auto child = [&](int32_t k) { return k < inner ? first + k : -1 - (first_leaf + k - inner); };
      const bool missing = random() % 2 != 0;
      trees.nodes.push_back({uniform(random), below(features), child(2 * i + 1), child(2 * i + 2),
                             static_cast<TreeNode::Mode>(below(TreeNode::kModeCount)), missing});
    }
    for (int32_t leaf = 0; leaf <= inner; ++leaf) {
      trees.votes.push_back({below(targets), uniform(random)});
      if (leaf == 0) trees.votes.push_back({below(targets), uniform(random)});
      trees.leaf_ends.push_back(static_cast<int64_t>(trees.votes.size()));
    }
  }
  return trees;
}

NodeCase forest(const Trees& trees, int64_t rows, int64_t features, DType type) {
  return {.op = "DecisionTrees", .attributes = to_attributes(trees), .inputs = {plain({rows, features}, type)}};
}

bool takes(const NodeCase& c) { return check(c) == std::set<std::string>{"decision_trees"}; }

TEST(CudaTrees, ForestsOfAnySize) {
  for (DType type : {DType::kF16, DType::kF32, DType::kF64})
    for (auto aggregate : {Trees::kAverage, Trees::kSum, Trees::kMin, Trees::kMax})
      for (const auto& [count, depth, targets] :
           std::vector<std::array<int, 3>>{{1, 0, 1}, {5, 3, 1}, {300, 4, 3}, {40, 2, 200}}) {
        Trees trees = grown(count, depth, 9, targets, aggregate, 3);
        EXPECT_TRUE(takes(forest(trees, 7, 9, type)));
        trees.base.assign(static_cast<size_t>(targets), 0.25);
        EXPECT_TRUE(takes(forest(trees, 33, 12, type)));
      }
}

TEST(CudaTrees, NoRowsNoTreesAndNoNumbers) {
  const Trees trees = grown(20, 4, 5, 2, Trees::kSum, 9);
  EXPECT_TRUE(takes(forest(trees, 0, 5, DType::kF32)));
  Trees none = trees;
  none.roots.clear();
  none.base = {1, 2};
  EXPECT_TRUE(takes(forest(none, 4, 5, DType::kF32)));
  NodeCase c = forest(trees, 6, 5, DType::kF32);
  Tensor x = random_tensor(DType::kF32, {6, 5}, 4);
  x.set(3, static_cast<double>(kNan));
  x.set(11, static_cast<double>(kInf));
  x.set(17, static_cast<double>(-kInf));
  c.inputs[0].value = x;
  EXPECT_TRUE(takes(c));
}

}  // namespace
}  // namespace kiln::cuda::testing
