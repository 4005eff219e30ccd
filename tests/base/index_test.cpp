// Elements by signed numbers.
#include "base/index.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace kiln {
namespace {

enum class Side : uint8_t { kLeft, kRight };

TEST(Index, ElementsOfWhateverHasThem) {
  std::vector<int> list{1, 2, 3};
  nth(list, int32_t{2}) = 7;
  EXPECT_EQ(nth(list, int64_t{2}), 7);
  const std::vector<int>& constant = list;
  static_assert(std::is_same_v<decltype(nth(constant, 0)), const int&>);
  static_assert(std::is_same_v<decltype(nth(list, 0)), int&>);
  EXPECT_EQ(nth(std::span(list), 0), 1);
  EXPECT_EQ(nth(list.data(), 1), 2);
  EXPECT_EQ(nth(std::array{4, 5}, Side::kRight), 5);
  std::vector<bool> flags(2);
  nth(flags, 1) = true;
  EXPECT_EQ(flags, (std::vector<bool>{false, true}));
  int64_t plain[] = {8, 9};
  EXPECT_EQ(&nth(plain, list.begin() - list.begin()), &plain[0]);
}

}  // namespace
}  // namespace kiln
