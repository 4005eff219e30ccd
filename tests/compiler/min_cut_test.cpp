// The least cut of small networks against all labellings.
#include "compiler/min_cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace kiln::testing {
namespace {

struct Network {
  struct Pair {
    size_t a, b;
    double false_true, true_false;
  };
  size_t nodes;
  std::vector<std::pair<double, double>> labels;  // cost of false and of true
  std::vector<Pair> pairs;

  double cost(const std::vector<bool>& chosen) const {
    double sum = 0;
    for (size_t i = 0; i < nodes; ++i) sum += chosen[i] ? labels[i].second : labels[i].first;
    for (const Pair& p : pairs)
      if (chosen[p.a] != chosen[p.b]) sum += chosen[p.b] ? p.false_true : p.true_false;
    return sum;
  }

  double least() const {
    double best = std::numeric_limits<double>::max();
    for (size_t bits = 0; bits < (size_t{1} << nodes); ++bits) {
      std::vector<bool> chosen(nodes);
      for (size_t i = 0; i < nodes; ++i) chosen[i] = (bits >> i) & 1;
      best = std::min(best, cost(chosen));
    }
    return best;
  }

  std::vector<bool> solved() const {
    MinCut cut(nodes);
    for (size_t i = 0; i < nodes; ++i) cut.add_label_cost(i, labels[i].first, labels[i].second);
    for (const Pair& p : pairs) cut.add_pair_cost(p.a, p.b, p.false_true, p.true_false);
    return cut.solve();
  }
};

TEST(MinCut, RandomNetworksCostTheLeast) {
  std::mt19937 random(7);
  const auto draw = [&](int below) { return static_cast<double>(random() % static_cast<unsigned>(below)); };
  for (int round = 0; round < 400; ++round) {
    Network network{.nodes = 1 + random() % 9, .labels = {}, .pairs = {}};
    for (size_t i = 0; i < network.nodes; ++i) network.labels.emplace_back(draw(9), draw(9));
    for (size_t k = random() % 16; k > 0; --k)
      network.pairs.push_back({random() % network.nodes, random() % network.nodes, draw(7), draw(7)});
    EXPECT_EQ(network.cost(network.solved()), network.least()) << "round " << round;
  }
}

TEST(MinCut, NothingSpeaksForTrue) { EXPECT_EQ(MinCut(3).solve(), std::vector<bool>(3, false)); }

TEST(MinCut, ALongChainNeedsNoDeepStack) {
  constexpr size_t kNodes = 200000;
  MinCut cut(kNodes);
  cut.add_label_cost(0, 3, 0);
  for (size_t i = 1; i < kNodes; ++i) cut.add_pair_cost(i - 1, i, 2, 2);
  cut.add_label_cost(kNodes - 1, 0, 1);
  EXPECT_EQ(cut.solve(), std::vector<bool>(kNodes, true));
}

}  // namespace
}  // namespace kiln::testing
