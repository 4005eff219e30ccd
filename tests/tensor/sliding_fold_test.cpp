// Folds of sliding windows against those of each window by itself.
#include "tensor/sliding_fold.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace kiln {
namespace {

// Joined texts tell which elements were met, and in which order.
TEST(SlidingFold, MeetsTheElementsOfEachWindowInOrder) {
  std::mt19937 random(1);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % (high - low + 1)); };
  for (int round = 0; round < 3000; ++round) {
    const int64_t step = pick(1, 3), end = pick(0, 6);
    const SlidingAxis axis{pick(0, 12), pick(0, 9), pick(1, 9), pick(1, 4), pick(1, 4), pick(0, 8)};
    std::vector<std::string> from(static_cast<size_t>(axis.in * step + 1)),
        to(static_cast<size_t>(axis.out * step + 1)), scratch(static_cast<size_t>(2 * axis.in));
    for (int64_t i = 0; i < axis.in; ++i)
      from[static_cast<size_t>(i * step)] = std::string(1, static_cast<char>('a' + i));
    fold_windows(axis, from.data(), to.data(), step, std::string("-"), std::plus<std::string>(), scratch.data());
    for (int64_t o = 0; o < axis.out; ++o) {
      std::string expected;
      int64_t padded = 0;
      for (int64_t t = 0; t < axis.taps; ++t) {
        const int64_t at = o * axis.stride - axis.begin + t * axis.dilation;
        if (at >= 0 && at < axis.in) expected += static_cast<char>('a' + at);
        padded += at < axis.in + end;
      }
      EXPECT_EQ(axis.reach(o).count, static_cast<int64_t>(expected.size()));
      EXPECT_EQ(axis.padded_reach(o, end).count, padded);
      ASSERT_EQ(to[static_cast<size_t>(o * step)], expected.empty() ? "-" : expected)
          << "in " << axis.in << ", taps " << axis.taps << ", stride " << axis.stride << ", dilation " << axis.dilation
          << ", begin " << axis.begin << ", output " << o;
    }
  }
}

TEST(SlidingFold, TheLargerOfTwo) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const auto winner = [](Extreme a, Extreme b) {
    EXPECT_EQ(larger(a, b).position, larger(b, a).position);
    return larger(a, b).position;
  };
  EXPECT_EQ(winner({1, 0}, {2, 1}), 1);
  EXPECT_EQ(winner({2, 0}, {2, 1}), 0);
  EXPECT_EQ(winner({nan, 3}, {inf, 2}), 3);
  EXPECT_EQ(winner({nan, 3}, {nan, 2}), 2);
  EXPECT_EQ(winner({-inf, 5}, {7, -1}), 5);
  EXPECT_EQ(winner({0, -1}, {0, -1}), -1);
}

// What grows most comes last.
TEST(SlidingFold, Order) {
  EXPECT_EQ(folding_order({{4, 8, 1, 1, 1, 0}, {8, 1, 8, 1, 1, 0}, {5, 5, 1, 1, 1, 0}}),
            (std::vector<size_t>{1, 2, 0}));
}

}  // namespace
}  // namespace kiln
