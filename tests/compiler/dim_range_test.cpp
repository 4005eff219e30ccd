// Ranges of dimensions against all values inside them.
#include "compiler/dim_range.h"

#include <gtest/gtest.h>

namespace kiln::testing {
namespace {

using Values = std::map<std::string, int64_t>;

const Dim a = Dim::symbol("a"), b = Dim::symbol("b");

std::optional<int64_t> value(const Dim& dim, const Values& at) {
  return evaluate(dim.program(), [&](const std::string& s) { return std::optional(at.at(s)); });
}

TEST(DimRange, HoldsEveryValue) {
  const Values low{{"a", -3}, {"b", 2}}, high{{"a", 5}, {"b", 6}};
  for (const Dim& dim : {a + b, a - b, a * b, a * a - b, floor_div(a * b, 3), ceil_div(a - b, 4), mod(a + b, 3),
                         max(a, b), min(a * 2, b), Dim(7), a}) {
    const auto range = range_of(dim, low, high);
    ASSERT_TRUE(range) << dim.str();
    for (int64_t i = low.at("a"); i <= high.at("a"); ++i)
      for (int64_t k = low.at("b"); k <= high.at("b"); ++k) {
        const int64_t v = value(dim, {{"a", i}, {"b", k}}).value();
        EXPECT_TRUE(range->low <= v && v <= range->high)
            << dim.str() << " is " << v << " outside " << to_string(*range);
      }
  }
}

TEST(DimRange, IsTightForOneOperation) {
  const Values low{{"a", 2}, {"b", 3}}, high{{"a", 4}, {"b", 9}};
  EXPECT_EQ(to_string(range_of(a + b, low, high).value()), "5 to 13");
  EXPECT_EQ(to_string(range_of(b - a, low, high).value()), "-1 to 7");
  EXPECT_EQ(to_string(range_of(a * b, low, high).value()), "6 to 36");
  EXPECT_EQ(to_string(range_of(max(a, b), low, high).value()), "3 to 9");
  EXPECT_EQ(to_string(range_of(Dim(4), low, high).value()), "4");
}

TEST(DimRange, NothingWhereItCannotBeTold) {
  const Values low{{"a", 1}, {"b", 1}}, high{{"a", INT64_MAX}, {"b", 4}};
  EXPECT_FALSE(range_of(Dim::symbol("c"), low, high));  // no bounds
  EXPECT_FALSE(range_of(a + Dim::symbol("c"), low, high));
  EXPECT_FALSE(range_of(a, low, {{"b", 4}}));                // only one of the two
  EXPECT_FALSE(range_of(a * 2, low, high));                  // beyond 64 bits
  EXPECT_FALSE(range_of(floor_div(Dim(12), b), low, high));  // a divisor that varies
  EXPECT_FALSE(range_of(mod(a, b), low, high));
}

TEST(DimRange, CommonPart) {
  EXPECT_EQ(to_string(common({1, 5}, {3, 9})), "3 to 5");
  EXPECT_EQ(to_string(common({1, 5}, {5, 9})), "5");
}

}  // namespace
}  // namespace kiln::testing
