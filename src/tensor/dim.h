// Symbolic dimensions: integer expressions over named symbols, kept in one canonical form so that equal means identical.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// One instruction of a dimension's postfix program, as engines store it.
struct DimOp {
  enum Kind : uint8_t { kConstant, kSymbol, kAdd, kSub, kMul, kFloorDiv, kCeilDiv, kMod, kMin, kMax };
  Kind kind = kConstant;
  int64_t value = 0;   // kConstant
  std::string symbol;  // kSymbol
};

// An immutable value. Arithmetic simplifies exactly: sums of products are expanded and collected (2*seq - seq is seq), divisions
// that come out even are carried out, min and max of comparable operands are decided. Symbols are non-negative integers.
// Overflow of a constant throws Error(kOverflow).
class Dim {
 public:
  Dim(int64_t value = 0) : value_(value) {}
  Dim(int value) : value_(value) {}
  static Dim symbol(std::string name);

  bool is_constant() const { return !expression_; }
  int64_t value() const;  // throws kShapeNotSet when not constant
  std::optional<int64_t> constant() const { return expression_ ? std::nullopt : std::optional<int64_t>(value_); }

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim floor_div(const Dim& a, const Dim& b);  // b is not zero
  friend Dim ceil_div(const Dim& a, const Dim& b);
  friend Dim mod(const Dim& a, const Dim& b);
  friend Dim min(const Dim& a, const Dim& b);
  friend Dim max(const Dim& a, const Dim& b);
  bool operator==(const Dim& other) const;

  // Text that parse() reads back: "2*batch*seq + 1", "floor_div(h + 1, 2)".
  std::string str() const;
  static Dim parse(std::string_view text);  // throws kInvalidArgument

  void collect_symbols(std::set<std::string>& into) const;
  // Replaces symbols for which `map` has an answer and simplifies again.
  Dim substitute(const std::function<std::optional<Dim>(const std::string&)>& map) const;
  // The expression in postfix order, for the engine's shape program.
  std::vector<DimOp> program() const;

 private:
  struct Expression;
  int64_t value_ = 0;
  std::shared_ptr<const Expression> expression_;
  friend struct DimAlgebra;
};

// Runs a postfix program; nothing on overflow, division by zero, an unknown symbol or an unbalanced stack. Never throws.
std::optional<int64_t> evaluate(const std::vector<DimOp>& program,
                                const std::function<std::optional<int64_t>(const std::string&)>& symbols);

}  // namespace kiln
