// Text form of symbolic dimensions.
#include <cctype>
#include <charconv>
#include <limits>

#include "base/error.h"
#include "tensor/dim.h"
#include "tensor/dim_expression.h"

namespace kiln {
namespace {

constexpr std::string_view kFunctions[] = {"", "floor_div", "ceil_div", "mod", "min", "max"};

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool continues_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

// Names that are no identifiers are quoted.
std::string symbol_text(const std::string& name) {
  bool plain = !name.empty() && starts_name(name[0]);
  for (char c : name) plain = plain && continues_name(c);
  if (plain) return name;
  std::string text = "'";
  for (char c : name) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

std::string atom_text(const DimAtom& atom) {
  if (atom.kind == DimAtom::kSymbol) return symbol_text(atom.symbol);
  std::string text = std::string(kFunctions[atom.kind]) + "(";
  for (size_t i = 0; i < atom.operands.size(); ++i) text += (i ? ", " : "") + atom.operands[i].str();
  return text + ")";
}

std::string term_text(const DimTerm& term, uint64_t magnitude) {
  if (term.factors.empty()) return std::to_string(magnitude);
  std::string text = magnitude == 1 ? "" : std::to_string(magnitude) + "*";
  for (size_t i = 0; i < term.factors.size(); ++i) text += (i ? "*" : "") + atom_text(*term.factors[i]);
  return text;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Dim whole() {
    Dim result = sum();
    skip_space();
    if (position_ != text_.size()) fail("unexpected text");
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Code::kInvalidArgument, "'" + std::string(text_.substr(0, 200)) + "' is not a dimension")
        .cause(position_ < text_.size() ? what + " before '" + std::string(text_.substr(position_, 20)) + "'"
                                        : what + " at its end");
  }

  void skip_space() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }

  bool take(char c) {
    skip_space();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  Dim sum() {
    if (++depth_ > kMaxNesting) fail("nested too deeply");
    Dim result = product();
    for (;;) {
      if (take('+')) {
        result = result + product();
      } else if (take('-')) {
        result = result - product();
      } else {
        --depth_;
        return result;
      }
    }
  }

  Dim product() {
    Dim result = factor();
    while (take('*')) result = result * factor();
    return result;
  }

  Dim factor() {
    skip_space();
    if (position_ >= text_.size()) fail("an operand is missing");
    const char c = text_[position_];
    if (c == '-' && position_ + 1 < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_ + 1])))
      return number();
    if (std::isdigit(static_cast<unsigned char>(c))) return number();
    if (take('-')) return negative();
    if (take('\'')) return quoted();
    if (take('(')) {
      Dim inner = sum();
      if (!take(')')) fail("')' is missing");
      return inner;
    }
    if (starts_name(c)) return name_or_call();
    fail("unexpected character");
  }

  Dim negative() {
    if (++depth_ > kMaxNesting) fail("nested too deeply");
    Dim result = Dim(-1) * factor();
    --depth_;
    return result;
  }

  Dim number() {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + position_, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("the number does not fit 64 bits");
    position_ = static_cast<size_t>(end - text_.data());
    return Dim(value);
  }

  Dim quoted() {
    std::string name;
    while (position_ < text_.size() && text_[position_] != '\'') {
      if (text_[position_] == '\\' && ++position_ >= text_.size()) break;
      name += text_[position_++];
    }
    if (!take('\'')) fail("a quote is missing");
    return Dim::symbol(std::move(name));
  }

  Dim name_or_call() {
    const size_t start = position_;
    while (position_ < text_.size() && continues_name(text_[position_])) ++position_;
    const std::string_view name = text_.substr(start, position_ - start);
    if (!take('(')) return Dim::symbol(std::string(name));
    int kind = 0;
    for (int i = DimAtom::kFloorDiv; i <= DimAtom::kMax; ++i)
      if (kFunctions[i] == name) kind = i;
    if (kind == 0) fail("unknown function '" + std::string(name) + "'");
    Dim result = sum();
    int operands = 1;
    for (; take(','); ++operands) result = apply(kind, result, sum());
    if (!take(')')) fail("')' is missing");
    if (operands < 2 || (kind < DimAtom::kMin && operands > 2)) fail("wrong number of operands");
    return result;
  }

  Dim apply(int kind, const Dim& a, const Dim& b) const {
    switch (kind) {
      case DimAtom::kMin: return min(a, b);
      case DimAtom::kMax: return max(a, b);
      default: break;
    }
    if (b == Dim(0)) fail("division by zero");
    if (kind == DimAtom::kFloorDiv) return floor_div(a, b);
    if (kind == DimAtom::kCeilDiv) return ceil_div(a, b);
    return mod(a, b);
  }

  static constexpr int kMaxNesting = 200;
  std::string_view text_;
  size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace

std::string Dim::str() const {
  if (!expression_) return std::to_string(value_);
  std::string text;
  for (const DimTerm& term : expression_->terms) {
    const bool negative = term.coefficient < 0;
    const uint64_t magnitude =
        negative ? 0 - static_cast<uint64_t>(term.coefficient) : static_cast<uint64_t>(term.coefficient);
    // The magnitude of the smallest integer is no int64: it is added with its sign.
    const bool smallest = term.coefficient == std::numeric_limits<int64_t>::min();
    if (!text.empty()) text += negative && !smallest ? " - " : " + ";
    if (smallest || (negative && text.empty())) text += "-";
    text += term_text(term, magnitude);
  }
  return text;
}

Dim Dim::parse(std::string_view text) { return Parser(text).whole(); }

}  // namespace kiln
