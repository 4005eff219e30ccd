// Symbolic dimensions: canonical forms, text, programs, and random expressions against plain arithmetic.
#include "tensor/dim.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>
#include <random>

#include "base/checked.h"
#include "code_of.h"

namespace kiln {
namespace {

constexpr int64_t kSmallest = std::numeric_limits<int64_t>::min(), kLargest = std::numeric_limits<int64_t>::max();

struct Case {
  const char* text;
  const char* canonical;
};

const Case kCanonical[] = {
    {"7", "7"},
    {"-7", "-7"},
    {"n", "n"},
    {"2*seq - seq", "seq"},
    {"max(n - 2, 0) + min(n, 2)", "n"},
    {"3*max(3, n) + 3*min(n + 1, 4) - 1", "3*n + 11"},
    {"mod(4 - mod(h, 4), 4)", "mod(3*h, 4)"},
    {"n - n", "0"},
    {"1 + seq*batch*2", "2*batch*seq + 1"},
    {"(a + b)*(a - b)", "a*a - b*b"},
    {"-(a - 2)", "-a + 2"},
    {"- -a", "a"},
    {"0*n", "0"},
    {"n*m*n", "m*n*n"},
    {"floor_div(2*n*s, 2)", "n*s"},
    {"floor_div(6*n, 4)", "n + floor_div(n, 2)"},
    {"floor_div(3*n, 2)", "n + floor_div(n, 2)"},
    {"floor_div(a*b, b)", "a"},
    {"floor_div(n*s + 2*s, s)", "n + 2"},
    {"ceil_div(n*s + 2*s, s)", "n + 2"},
    {"floor_div(n, n)", "1"},
    {"ceil_div(n, n)", "1"},
    {"floor_div(n*n + 2*n + 1, n + 1)", "n + 1"},
    {"floor_div((n + 1)*s, n + 1)", "s"},
    {"floor_div(n, 1)", "n"},
    {"floor_div(n, -1)", "-n"},
    {"floor_div(n - 1, 2) + 1", "floor_div(n + 1, 2)"},
    {"ceil_div(n, 2)", "floor_div(n + 1, 2)"},
    {"ceil_div(4*n + 1, 2)", "2*n + 1"},
    {"floor_div(floor_div(h - 1, 2), 2) + 1", "floor_div(h + 3, 4)"},
    {"floor_div(4*n + 3, 4)", "n"},
    {"floor_div(a*b, b*c)", "floor_div(a, c)"},
    {"floor_div(2*a*n + 3*a, 2*a*m)", "floor_div(2*n + 3, 2*m)"},
    {"floor_div(n, n + 1)", "0"},
    {"floor_div(5, 2*s + 6)", "0"},
    {"ceil_div(n + 1, n + 2)", "1"},
    {"mod(4*n, 2)", "0"},
    {"mod(n, 1)", "0"},
    {"mod(6*n + 5, 4)", "2*mod(n, 2) + 1"},
    {"mod(5*n + 7, 5)", "2"},
    {"mod(n*s, s)", "0"},
    {"mod(n + s, s)", "mod(n, s)"},
    {"mod(a*b, b*c)", "b*mod(a, c)"},
    {"mod(n, n + 1)", "n"},
    {"mod(-7, 3)", "2"},
    {"mod(7, -3)", "-2"},
    {"min(n, n)", "n"},
    {"min(n, n + 1)", "n"},
    {"max(n, n + 1)", "n + 1"},
    {"max(n, 0)", "n"},
    {"min(n, 0)", "0"},
    {"max(n - 1, 0)", "max(n - 1, 0)"},
    {"min(3, n)", "min(n, 3)"},
    {"min(min(c, b), a)", "min(a, b, c)"},
    {"min(a, min(b, c), a + 1)", "min(a, b, c)"},
    {"max(2*n, n, 3)", "max(2*n, 3)"},
    {"max(floor_div(n, 2), -1)", "floor_div(n, 2)"},
    {"min(2, 3)", "2"},
    {"floor_div(-7, 2)", "-4"},
    {"ceil_div(-7, 2)", "-3"},
    {"ceil_div(7, -2)", "-3"},
    {"'a b'*2", "2*'a b'"},
    {"'plain'", "plain"},
    {"'it\\'s \\\\'", "'it\\'s \\\\'"},
    {"''", "''"},
    {"-9223372036854775808*n - 9223372036854775807", "-9223372036854775808*n - 9223372036854775807"},
    {"n - 9223372036854775807 - 1", "n + -9223372036854775808"},
    {"min", "min"},
};

TEST(Dim, HasOneFormForEqualExpressions) {
  for (const Case& c : kCanonical) {
    const Dim dim = Dim::parse(c.text);
    EXPECT_EQ(dim.str(), c.canonical) << c.text;
    EXPECT_EQ(Dim::parse(dim.str()), dim) << c.text;
  }
}

TEST(Dim, Constants) {
  EXPECT_TRUE(Dim().is_constant());
  EXPECT_EQ(Dim(5).value(), 5);
  EXPECT_EQ(Dim(5).constant(), 5);
  const Dim n = Dim::symbol("n");
  EXPECT_FALSE(n.is_constant());
  EXPECT_EQ(n.constant(), std::nullopt);
  EXPECT_EQ(code_of([&] { n.value(); }), Code::kShapeNotSet);
  EXPECT_TRUE((n - n + 3).is_constant());
  EXPECT_FALSE(n == Dim::symbol("m"));
  EXPECT_FALSE(n == Dim(1));
}

TEST(Dim, RefusesOverflowAndZeroDivisors) {
  const Dim n = Dim::symbol("n");
  EXPECT_EQ(code_of([] { Dim(kLargest) + 1; }), Code::kOverflow);
  EXPECT_EQ(code_of([] { Dim(kSmallest) - 1; }), Code::kOverflow);
  EXPECT_EQ(code_of([] { Dim(kLargest) * 2; }), Code::kOverflow);
  EXPECT_EQ(code_of([] { floor_div(Dim(kSmallest), -1); }), Code::kOverflow);
  EXPECT_EQ(code_of([&] { n* kLargest * 2; }), Code::kOverflow);
  EXPECT_EQ(code_of([&] { floor_div(n, 0); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] { ceil_div(n, n - n); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { mod(Dim(3), 0); }), Code::kInvalidArgument);
  EXPECT_EQ(floor_div(Dim(kSmallest), 2).value(), kSmallest / 2);
  EXPECT_EQ(mod(Dim(kSmallest), -1).value(), 0);
}

TEST(Dim, BoundsTheSizeOfExpressions) {
  EXPECT_EQ(code_of([] {
              Dim product = 1;
              for (int i = 0; i < 64; ++i) product = product * (Dim::symbol("a" + std::to_string(i)) + 1);
            }),
            Code::kOverflow);
  EXPECT_EQ(code_of([] {
              Dim nested = Dim::symbol("n");
              for (int i = 0; i < 1000; ++i) nested = floor_div(nested + 1, Dim::symbol("s")) + max(nested, 3);
            }),
            Code::kOverflow);
  EXPECT_EQ(code_of([] {
              Dim most = 0;
              for (int i = 0; i < 1000; ++i) most = max(most, Dim::symbol("a" + std::to_string(i)) - 1);
            }),
            Code::kOverflow);
  EXPECT_EQ(code_of([] { Dim::parse(std::string(100000, '(')); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { Dim::parse(std::string(100000, '-') + "n"); }), Code::kInvalidArgument);
}

TEST(Dim, RefusesMalformedText) {
  for (const char* text :
       {"", " ", "+", "n +", "2 n", "n)", "(n", "floor_div(n)", "floor_div(n, 2, 3)", "min(n)", "pow(n, 2)",
        "floor_div(n, 0)", "'n", "9223372036854775808", "n**2", "n/2", "mod(n, n - n)", "1.5", "#"})
    EXPECT_EQ(code_of([&] { Dim::parse(text); }), Code::kInvalidArgument) << text;
}

TEST(Dim, Substitutes) {
  const Dim d = Dim::parse("floor_div(h + 1, 2)*w + min(h, k) - mod(w, 3)");
  std::set<std::string> symbols;
  d.collect_symbols(symbols);
  EXPECT_EQ(symbols, (std::set<std::string>{"h", "k", "w"}));
  const auto fixed = d.substitute([](const std::string& s) -> std::optional<Dim> {
    if (s == "h") return Dim(7);
    if (s == "w") return Dim::symbol("x") * 3;
    return std::nullopt;
  });
  EXPECT_EQ(fixed, Dim::parse("12*x + min(7, k)"));
  EXPECT_EQ(fixed.substitute([](const std::string&) { return std::optional<Dim>(2); }).value(), 26);
}

TEST(DimProgram, RefusesWhatItCannotCompute) {
  const auto none = [](const std::string&) { return std::optional<int64_t>(); };
  const DimOp one{DimOp::kConstant, 1, {}}, zero{DimOp::kConstant, 0, {}}, smallest{DimOp::kConstant, kSmallest, {}};
  const DimOp minus{DimOp::kConstant, -1, {}};
  const auto op = [](DimOp::Kind kind) { return DimOp{kind, 0, {}}; };
  EXPECT_EQ(evaluate({one}, none), 1);
  EXPECT_EQ(evaluate({}, none), std::nullopt);
  EXPECT_EQ(evaluate({one, one}, none), std::nullopt);
  EXPECT_EQ(evaluate({one, op(DimOp::kAdd)}, none), std::nullopt);
  EXPECT_EQ(evaluate({DimOp{DimOp::kSymbol, 0, "n"}}, none), std::nullopt);
  EXPECT_EQ(evaluate({one, one, op(static_cast<DimOp::Kind>(99))}, none), std::nullopt);
  for (auto kind : {DimOp::kFloorDiv, DimOp::kCeilDiv, DimOp::kMod})
    EXPECT_EQ(evaluate({one, zero, op(kind)}, none), std::nullopt);
  for (auto kind : {DimOp::kFloorDiv, DimOp::kCeilDiv})
    EXPECT_EQ(evaluate({smallest, minus, op(kind)}, none), std::nullopt);
  EXPECT_EQ(evaluate({smallest, minus, op(DimOp::kMod)}, none), 0);
  EXPECT_EQ(evaluate({smallest, one, op(DimOp::kCeilDiv)}, none), kSmallest);
  EXPECT_EQ(evaluate({smallest, one, op(DimOp::kSub)}, none), std::nullopt);
  EXPECT_EQ(evaluate({smallest, minus, op(DimOp::kMul)}, none), std::nullopt);
}

// An expression built as a Dim and, in the same steps, computed for several assignments. A value is absent where a
// divisor was zero.
struct Traced {
  Dim dim;
  std::vector<std::optional<int64_t>> values;
};

class RandomExpressions : public testing::Test {
 protected:
  static constexpr size_t kAssignments = 12;
  static constexpr const char* kNames[] = {"a", "b", "c"};

  Traced leaf() {
    if (random_() % 3 == 0) {
      const auto value = static_cast<int64_t>(random_() % 13) - 4;
      return {Dim(value), std::vector<std::optional<int64_t>>(kAssignments, value)};
    }
    const size_t which = random_() % 3;
    Traced t{Dim::symbol(kNames[which]), {}};
    for (const auto& assignment : assignments_) t.values.push_back(assignment[which]);
    return t;
  }

  Traced expression(int depth) {
    if (depth == 0 || random_() % 6 == 0) return leaf();
    const Traced x = expression(depth - 1), y = expression(depth - 1);
    const auto kind = static_cast<int>(random_() % 9);
    if (kind >= 3 && kind <= 5 && y.dim == Dim(0)) return x;
    Traced result{combine(kind, x.dim, y.dim), {}};
    for (size_t i = 0; i < kAssignments; ++i) result.values.push_back(compute(kind, x.values[i], y.values[i]));
    return result;
  }

  static Dim combine(int kind, const Dim& x, const Dim& y) {
    switch (kind) {
      case 0: return x + y;
      case 1: return x - y;
      case 2: return x * y;
      case 3: return floor_div(x, y);
      case 4: return ceil_div(x, y);
      case 5: return mod(x, y);
      case 6: return min(x, y);
      case 7: return max(x, y);
      default: return x + y;
    }
  }

  static std::optional<int64_t> compute(int kind, std::optional<int64_t> x, std::optional<int64_t> y) {
    if (!x || !y || (kind >= 3 && kind <= 5 && *y == 0)) return std::nullopt;
    switch (kind) {
      case 1: return *x - *y;
      case 2: return *x * *y;
      case 3: return floor_div(*x, *y);
      case 4: return ceil_div(*x, *y);
      case 5: return floor_mod(*x, *y);
      case 6: return std::min(*x, *y);
      case 7: return std::max(*x, *y);
      default: return *x + *y;
    }
  }

  void SetUp() override {
    for (size_t i = 0; i < kAssignments; ++i)
      assignments_.push_back({static_cast<int64_t>(random_() % 9), static_cast<int64_t>(random_() % 30),
                              static_cast<int64_t>(random_() % 5)});
  }

  std::mt19937 random_{11};
  std::vector<std::array<int64_t, 3>> assignments_;
};

TEST_F(RandomExpressions, KeepTheirValues) {
  int compared = 0;
  for (int round = 0; round < 6000; ++round) {
    const Traced t = expression(2 + round % 3);
    ASSERT_EQ(Dim::parse(t.dim.str()), t.dim) << t.dim.str();
    ASSERT_EQ(Dim::parse(t.dim.str()).str(), t.dim.str());
    const auto program = t.dim.program();
    for (size_t i = 0; i < kAssignments; ++i) {
      if (!t.values[i]) continue;
      const auto lookup = [&](const std::string& s) { return assignments_[i][static_cast<size_t>(s[0] - 'a')]; };
      const auto got = evaluate(program, [&](const std::string& s) { return std::optional<int64_t>(lookup(s)); });
      ASSERT_EQ(got, t.values[i]) << t.dim.str() << " with a, b, c = " << lookup("a") << ", " << lookup("b") << ", "
                                  << lookup("c");
      ASSERT_EQ(t.dim.substitute([&](const std::string& s) { return std::optional<Dim>(lookup(s)); }), Dim(*got))
          << t.dim.str();
      ++compared;
    }
  }
  EXPECT_GT(compared, 40000);
}

}  // namespace
}  // namespace kiln
