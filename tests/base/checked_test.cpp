// Checked arithmetic.
#include "base/checked.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace kiln {
namespace {

constexpr int64_t kSmallest = std::numeric_limits<int64_t>::min(), kLargest = std::numeric_limits<int64_t>::max();

TEST(Checked, Overflow) {
  EXPECT_EQ(checked_add(kLargest - 1, 1), kLargest);
  EXPECT_EQ(checked_add(kLargest, 1), std::nullopt);
  EXPECT_EQ(checked_sub(kSmallest, 1), std::nullopt);
  EXPECT_EQ(checked_sub(0, kSmallest), std::nullopt);
  EXPECT_EQ(checked_mul(kSmallest, -1), std::nullopt);
  EXPECT_EQ(checked_mul(int64_t{1} << 32, int64_t{1} << 31), std::nullopt);
  EXPECT_EQ(checked_mul(kLargest, 0), 0);
  EXPECT_EQ(add_or_throw(2, 3, "x"), 5);
  EXPECT_EQ(mul_or_throw(2, 3, "x"), 6);
  EXPECT_THROW(add_or_throw(kLargest, 1, "x"), Error);
  try {
    mul_or_throw(kLargest, 2, "the size");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kOverflow);
    EXPECT_NE(e.message().find("the size"), std::string::npos);
  }
}

TEST(Checked, DivisionRoundsAsItsNameSays) {
  for (int64_t a = -20; a <= 20; ++a) {
    for (int64_t b = -7; b <= 7; ++b) {
      if (b == 0) continue;
      const double exact = static_cast<double>(a) / static_cast<double>(b);
      EXPECT_EQ(floor_div(a, b), std::floor(exact));
      EXPECT_EQ(ceil_div(a, b), std::ceil(exact));
      EXPECT_EQ(floor_div(a, b) * b + floor_mod(a, b), a);
      EXPECT_TRUE(floor_mod(a, b) == 0 || (floor_mod(a, b) < 0) == (b < 0));
    }
  }
}

TEST(Checked, AlignUp) {
  EXPECT_EQ(align_up(0, 64), 0);
  EXPECT_EQ(align_up(1, 64), 64);
  EXPECT_EQ(align_up(64, 64), 64);
  EXPECT_EQ(align_up(65, 64), 128);
}

}  // namespace
}  // namespace kiln
