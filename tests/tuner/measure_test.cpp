// What of many times counts.
#include <gtest/gtest.h>

#include "tuner/tuner.h"

namespace kiln {
namespace {

TEST(MiddleHalf, LeavesOutTheFastestAndTheSlowestQuarter) {
  EXPECT_DOUBLE_EQ(middle_half({100, 3, 1, 5}), 4);
  EXPECT_DOUBLE_EQ(middle_half({0, 0, 2, 3, 4, 5, 900, 900}), 3.5);
}

TEST(MiddleHalf, TakesAPartOfTheTimesAtItsEnds) {
  EXPECT_DOUBLE_EQ(middle_half({7}), 7);
  EXPECT_DOUBLE_EQ(middle_half({4, 2}), 3);
  EXPECT_DOUBLE_EQ(middle_half({9, 1, 3}), (1 * 0.25 + 3 + 9 * 0.25) / 1.5);
  EXPECT_DOUBLE_EQ(middle_half({1, 2, 3, 4, 5, 1000}), (2 * 0.5 + 3 + 4 + 5 * 0.5) / 3);
}

TEST(MiddleHalf, OfEqualTimesIsThatTime) {
  for (size_t n = 1; n < 40; ++n) EXPECT_DOUBLE_EQ(middle_half(std::vector<double>(n, 0.125)), 0.125) << n;
}

}  // namespace
}  // namespace kiln
