// Algebra of symbolic dimensions.
#include "tensor/dim.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/checked.h"
#include "base/error.h"
#include "base/require.h"
#include "tensor/dim_expression.h"

namespace kiln {
namespace {

// Expressions come from models; beyond these bounds they are refused rather than expanded.
constexpr int kMaxDepth = 100;
constexpr int64_t kMaxNodes = 2000;
constexpr size_t kMaxOperands = 64;

constexpr const char* kWhat = "a dimension";
int64_t add(int64_t a, int64_t b) { return add_or_throw(a, b, kWhat); }
int64_t mul(int64_t a, int64_t b) { return mul_or_throw(a, b, kWhat); }
int64_t negate(int64_t a) { return mul(a, -1); }

[[noreturn]] void throw_too_large() {
  throw Error(Code::kOverflow, "a dimension's expression is too large").remedy("give the model fixed dimensions");
}

[[noreturn]] void throw_zero_divisor() { throw Error(Code::kInvalidArgument, "a dimension is divided by zero"); }

std::strong_ordering compare(const DimAtom& a, const DimAtom& b) {
  if (auto c = a.kind <=> b.kind; c != 0) return c;
  if (auto c = a.symbol.compare(b.symbol); c != 0)
    return c < 0 ? std::strong_ordering::less : std::strong_ordering::greater;
  if (auto c = a.operands.size() <=> b.operands.size(); c != 0) return c;
  for (size_t i = 0; i < a.operands.size(); ++i)
    if (auto c = DimAlgebra::compare(a.operands[i], b.operands[i]); c != 0) return c;
  return std::strong_ordering::equal;
}

std::strong_ordering compare(const DimAtomPtr& a, const DimAtomPtr& b) {
  return a == b ? std::strong_ordering::equal : compare(*a, *b);
}

// Higher degree first, then by the factors in order: an order that multiplication keeps, so that division can use it.
std::strong_ordering compare_factors(const DimTerm& a, const DimTerm& b) {
  if (auto c = b.factors.size() <=> a.factors.size(); c != 0) return c;
  for (size_t i = 0; i < a.factors.size(); ++i)
    if (auto c = compare(a.factors[i], b.factors[i]); c != 0) return c;
  return std::strong_ordering::equal;
}

int64_t node_count(const DimTerms& terms) {
  int64_t nodes = 0;
  for (const DimTerm& t : terms) {
    ++nodes;
    for (const DimAtomPtr& f : t.factors) nodes += f->nodes;
  }
  return nodes;
}

DimTerms add_terms(const DimTerms& a, const DimTerms& b) {
  DimTerms sum;
  sum.reserve(a.size() + b.size());
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const auto order = compare_factors(a[i], b[j]);
    if (order < 0) {
      sum.push_back(a[i++]);
    } else if (order > 0) {
      sum.push_back(b[j++]);
    } else {
      if (int64_t c = add(a[i].coefficient, b[j].coefficient)) sum.push_back({c, a[i].factors});
      ++i, ++j;
    }
  }
  sum.insert(sum.end(), a.begin() + static_cast<ptrdiff_t>(i), a.end());
  sum.insert(sum.end(), b.begin() + static_cast<ptrdiff_t>(j), b.end());
  return sum;
}

DimTerm multiply(const DimTerm& a, const DimTerm& b) {
  DimTerm product{mul(a.coefficient, b.coefficient), {}};
  product.factors.reserve(a.factors.size() + b.factors.size());
  std::merge(a.factors.begin(), a.factors.end(), b.factors.begin(), b.factors.end(),
             std::back_inserter(product.factors),
             [](const DimAtomPtr& x, const DimAtomPtr& y) { return compare(x, y) < 0; });
  return product;
}

// Multiplying by one term keeps the order of terms.
DimTerms multiply(const DimTerms& a, const DimTerm& b) {
  DimTerms product;
  product.reserve(a.size());
  for (const DimTerm& t : a) product.push_back(multiply(t, b));
  return product;
}

DimTerms multiply(const DimTerms& a, const DimTerms& b) {
  if (node_count(a) * node_count(b) > kMaxNodes * 4) throw_too_large();
  DimTerms product;
  for (const DimTerm& t : b) product = add_terms(product, multiply(a, t));
  return product;
}

DimTerms negated(const DimTerms& a) { return multiply(a, DimTerm{-1, {}}); }

// The factors of `a` without those of `b`, when all of b's are there.
std::optional<std::vector<DimAtomPtr>> divide_factors(const std::vector<DimAtomPtr>& a,
                                                      const std::vector<DimAtomPtr>& b) {
  std::vector<DimAtomPtr> rest;
  size_t j = 0;
  for (const DimAtomPtr& f : a) {
    if (j < b.size() && compare(f, b[j]) == 0) {
      ++j;
    } else {
      rest.push_back(f);
    }
  }
  if (j != b.size()) return std::nullopt;
  return rest;
}

struct Division {
  DimTerms quotient, remainder;
};

// p = quotient * q + remainder, by the leading term of q, whose coefficient is positive; coefficients that it divides
// are reduced to [0, that coefficient).
Division divide(const DimTerms& p, const DimTerms& q) {
  const DimTerm& lead = q.front();
  Division result;
  DimTerms rest = p;
  while (!rest.empty()) {
    const DimTerm head = rest.front();
    auto factors = divide_factors(head.factors, lead.factors);
    const int64_t times = factors ? floor_div(head.coefficient, lead.coefficient) : 0;
    if (times == 0) {
      result.remainder.push_back(head);
      rest.erase(rest.begin());
      continue;
    }
    const DimTerm step{times, std::move(*factors)};
    result.quotient = add_terms(result.quotient, {step});
    rest = add_terms(rest, negated(multiply(q, step)));
    if (node_count(rest) + node_count(result.quotient) > kMaxNodes) throw_too_large();
    if (!rest.empty() && compare_factors(rest.front(), head) == 0) {
      result.remainder.push_back(rest.front());
      rest.erase(rest.begin());
    }
  }
  return result;
}

// The largest term that divides every term of both.
DimTerm common_divisor(const DimTerms& a, const DimTerms& b) {
  DimTerm common{0, b.front().factors};
  for (const DimTerms* terms : {&a, &b}) {
    for (const DimTerm& t : *terms) {
      require(t.coefficient != std::numeric_limits<int64_t>::min(), Code::kOverflow,
              "a dimension's coefficient is too large");
      common.coefficient = std::gcd(common.coefficient, t.coefficient);
      std::vector<DimAtomPtr> shared;
      std::set_intersection(common.factors.begin(), common.factors.end(), t.factors.begin(), t.factors.end(),
                            std::back_inserter(shared),
                            [](const DimAtomPtr& x, const DimAtomPtr& y) { return compare(x, y) < 0; });
      common.factors = std::move(shared);
    }
  }
  return common;
}

DimTerms divide_exactly(const DimTerms& a, const DimTerm& b) {
  DimTerms quotient = a;
  for (DimTerm& t : quotient) {
    t.coefficient /= b.coefficient;
    t.factors = *divide_factors(t.factors, b.factors);
  }
  return quotient;
}

bool is_nonnegative(const DimTerms& terms) {
  return std::all_of(terms.begin(), terms.end(), [](const DimTerm& t) {
    return t.coefficient >= 0 &&
           std::all_of(t.factors.begin(), t.factors.end(), [](const DimAtomPtr& f) { return f->nonnegative; });
  });
}

bool is_nonnegative(const Dim& dim) { return is_nonnegative(DimAlgebra::terms(dim)); }

bool is_at_most(const Dim& a, const Dim& b) { return is_nonnegative(b - a); }

bool is_constant(const DimTerms& terms) { return terms.empty() || (terms.size() == 1 && terms[0].factors.empty()); }

int64_t constant_of(const DimTerms& terms) {
  return terms.empty() ? 0 : terms.back().factors.empty() ? terms.back().coefficient : 0;
}

bool atom_is_nonnegative(DimAtom::Kind kind, const std::vector<Dim>& operands) {
  const auto nonnegative = [](const Dim& d) { return is_nonnegative(d); };
  switch (kind) {
    case DimAtom::kSymbol: return true;
    case DimAtom::kMod: return nonnegative(operands[1]);
    case DimAtom::kMax: return std::any_of(operands.begin(), operands.end(), nonnegative);
    default: return std::all_of(operands.begin(), operands.end(), nonnegative);
  }
}

// The numerator and divisor of a floor or ceiling division after all that can be carried out is in `whole`.
struct Reduced {
  DimTerms whole, numerator, divisor;
};

// A divisor of one term takes out every whole multiple; one of several terms is used only when it divides exactly,
// because the remainder would be no simpler.
Reduced reduce(const Dim& a, const Dim& b) {
  DimTerms p = DimAlgebra::terms(a), q = DimAlgebra::terms(b);
  if (q.front().coefficient < 0) p = negated(p), q = negated(q);
  Division division = divide(p, q);
  if (q.size() > 1 && !division.remainder.empty()) division = {{}, p};
  return {std::move(division.quotient), std::move(division.remainder), std::move(q)};
}

void cancel_common(Reduced& r) {
  const DimTerm common = common_divisor(r.numerator, r.divisor);
  r.numerator = divide_exactly(r.numerator, common);
  r.divisor = divide_exactly(r.divisor, common);
}

// With a constant divisor the numerator's constant need not share the common factor: floor((g*x + c) / (g*d)) is
// floor((x + floor(c / g)) / d).
void cancel_content(Reduced& r) {
  int64_t content = r.divisor[0].coefficient;
  for (const DimTerm& t : r.numerator)
    if (!t.factors.empty()) content = std::gcd(content, t.coefficient);
  for (DimTerm& t : r.numerator) t.coefficient = floor_div(t.coefficient, content);
  std::erase_if(r.numerator, [](const DimTerm& t) { return t.coefficient == 0; });
  r.divisor[0].coefficient /= content;
}

// floor((floor(x / d) + c) / e) is floor((x + c*d) / (d*e)) for positive constants d and e.
std::optional<Dim> merge_nested(const Reduced& r) {
  if (r.numerator.empty() || r.numerator.size() > 2 || (r.numerator.size() == 2 && !r.numerator[1].factors.empty()))
    return std::nullopt;
  const DimTerm& head = r.numerator[0];
  if (head.coefficient != 1 || head.factors.size() != 1 || head.factors[0]->kind != DimAtom::kFloorDiv)
    return std::nullopt;
  const Dim& inner = head.factors[0]->operands[1];
  if (!inner.is_constant()) return std::nullopt;
  const auto product = checked_mul(inner.value(), r.divisor[0].coefficient);
  if (!product) return std::nullopt;
  return floor_div(head.factors[0]->operands[0] + Dim(constant_of(r.numerator)) * inner, Dim(*product));
}

}  // namespace

DimTerms DimAlgebra::terms(const Dim& dim) {
  if (dim.expression_) return dim.expression_->terms;
  if (dim.value_ == 0) return {};
  return {DimTerm{dim.value_, {}}};
}

Dim DimAlgebra::make(DimTerms terms) {
  if (kiln::is_constant(terms)) return Dim(constant_of(terms));
  if (node_count(terms) > kMaxNodes) throw_too_large();
  Dim dim;
  dim.expression_ = std::make_shared<const Dim::Expression>(Dim::Expression{std::move(terms)});
  return dim;
}

Dim DimAlgebra::atom(DimAtom::Kind kind, std::vector<Dim> operands) {
  auto atom = std::make_shared<DimAtom>();
  atom->kind = kind;
  atom->nonnegative = atom_is_nonnegative(kind, operands);
  for (const Dim& operand : operands) {
    if (!view(operand)) continue;
    for (const DimTerm& t : *view(operand))
      for (const DimAtomPtr& f : t.factors) atom->depth = std::max(atom->depth, f->depth + 1);
    atom->nodes += node_count(*view(operand));
  }
  if (atom->depth > kMaxDepth || atom->nodes > kMaxNodes) throw_too_large();
  atom->operands = std::move(operands);
  return make({DimTerm{1, {std::move(atom)}}});
}

std::strong_ordering DimAlgebra::compare(const Dim& a, const Dim& b) {
  if (a.expression_ == b.expression_) return a.value_ <=> b.value_;
  if (!a.expression_ || !b.expression_)
    return a.expression_ ? std::strong_ordering::less : std::strong_ordering::greater;
  const DimTerms& x = a.expression_->terms;
  const DimTerms& y = b.expression_->terms;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (auto c = compare_factors(x[i], y[i]); c != 0) return c;
    if (auto c = x[i].coefficient <=> y[i].coefficient; c != 0) return c;
  }
  return x.size() <=> y.size();
}

Dim Dim::symbol(std::string name) {
  auto atom = std::make_shared<DimAtom>();
  atom->symbol = std::move(name);
  return DimAlgebra::make({DimTerm{1, {std::move(atom)}}});
}

int64_t Dim::value() const {
  if (!expression_) return value_;
  throw Error(Code::kShapeNotSet, "dimension " + str() + " is not known yet");
}

bool Dim::operator==(const Dim& other) const { return DimAlgebra::compare(*this, other) == 0; }

namespace {

// The operands of a term that is a minimum or maximum of two, times a number.
const std::vector<Dim>* operands_of(const DimTerm& term, DimAtom::Kind kind) {
  if (term.factors.size() != 1 || term.factors[0]->kind != kind || term.factors[0]->operands.size() != 2)
    return nullptr;
  return &term.factors[0]->operands;
}

// max(p, q) + min(p + d, q + d) is p + q + d: what is cut off at one end and put on at the other.
std::optional<Dim> sum_of_extrema(const std::vector<Dim>& most, const std::vector<Dim>& least) {
  for (size_t i : {0, 1})
    if (least[0] - most[i] == least[1] - most[1 - i]) return least[0] + most[1 - i];
  return std::nullopt;
}

Dim without_extrema(DimTerms terms) {
  for (size_t i = 0; i < terms.size(); ++i) {
    const std::vector<Dim>* most = operands_of(terms[i], DimAtom::kMax);
    for (size_t j = 0; most && j < terms.size(); ++j) {
      const std::vector<Dim>* least = operands_of(terms[j], DimAtom::kMin);
      if (!least || terms[i].coefficient != terms[j].coefficient) continue;
      const auto sum = sum_of_extrema(*most, *least);
      if (!sum) continue;
      const Dim part = Dim(terms[i].coefficient) * *sum;
      terms.erase(terms.begin() + static_cast<ptrdiff_t>(std::max(i, j)));
      terms.erase(terms.begin() + static_cast<ptrdiff_t>(std::min(i, j)));
      return DimAlgebra::make(std::move(terms)) + part;
    }
  }
  return DimAlgebra::make(std::move(terms));
}

}  // namespace

Dim operator+(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return Dim(add(a.value(), b.value()));
  return without_extrema(add_terms(DimAlgebra::terms(a), DimAlgebra::terms(b)));
}

Dim operator-(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) {
    if (auto r = checked_sub(a.value(), b.value())) return Dim(*r);
    throw Error(Code::kOverflow, "a dimension: " + a.str() + " - " + b.str() + " does not fit 64 bits");
  }
  return without_extrema(add_terms(DimAlgebra::terms(a), negated(DimAlgebra::terms(b))));
}

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return Dim(mul(a.value(), b.value()));
  return DimAlgebra::make(multiply(DimAlgebra::terms(a), DimAlgebra::terms(b)));
}

Dim floor_div(const Dim& a, const Dim& b) {
  if (b == Dim(0)) throw_zero_divisor();
  if (b == Dim(-1)) return Dim(0) - a;
  if (a.is_constant() && b.is_constant()) return Dim(floor_div(a.value(), b.value()));
  Reduced r = reduce(a, b);
  const Dim whole = DimAlgebra::make(r.whole);
  if (r.numerator.empty()) return whole;
  cancel_common(r);
  if (is_constant(r.divisor)) {
    cancel_content(r);
    if (r.divisor[0].coefficient == 1) return whole + DimAlgebra::make(r.numerator);
    if (is_constant(r.numerator)) return whole + Dim(floor_div(constant_of(r.numerator), r.divisor[0].coefficient));
    if (auto merged = merge_nested(r)) return whole + *merged;
  }
  const Dim numerator = DimAlgebra::make(r.numerator), divisor = DimAlgebra::make(r.divisor);
  if (is_nonnegative(numerator) && is_at_most(numerator + 1, divisor)) return whole;
  return whole + DimAlgebra::atom(DimAtom::kFloorDiv, {numerator, divisor});
}

Dim ceil_div(const Dim& a, const Dim& b) {
  if (b == Dim(0)) throw_zero_divisor();
  if (b.is_constant()) {
    const bool negative = b.value() < 0;
    const Dim p = negative ? Dim(0) - a : a, q = negative ? Dim(negate(b.value())) : b;
    return floor_div(p + (q - 1), q);
  }
  Reduced r = reduce(a, b);
  const Dim whole = DimAlgebra::make(r.whole);
  if (r.numerator.empty()) return whole;
  cancel_common(r);
  const Dim numerator = DimAlgebra::make(r.numerator), divisor = DimAlgebra::make(r.divisor);
  if (divisor.is_constant()) return whole + ceil_div(numerator, divisor);
  if (is_nonnegative(numerator - 1) && is_at_most(numerator, divisor)) return whole + 1;
  return whole + DimAlgebra::atom(DimAtom::kCeilDiv, {numerator, divisor});
}

namespace {

// mod(x + mod(y, b), b) is mod(x + y, b).
Dim without_remainders(const Dim& a, const Dim& b) {
  Dim sum = a;
  for (const DimTerm& t : DimAlgebra::terms(a)) {
    if (t.factors.size() != 1 || t.factors[0]->kind != DimAtom::kMod || !(t.factors[0]->operands[1] == b)) continue;
    sum = sum + Dim(t.coefficient) * t.factors[0]->operands[0] - DimAlgebra::make({t});
  }
  return sum;
}

}  // namespace

// mod(g*x + c, g*q) is g*mod(x, q) + c for 0 <= c < g, which also moves signs and common factors out.
Dim mod(const Dim& given, const Dim& b) {
  if (b == Dim(0)) throw_zero_divisor();
  const Dim a = without_remainders(given, b);
  if (a.is_constant() && b.is_constant()) return b == Dim(-1) ? Dim(0) : Dim(floor_mod(a.value(), b.value()));
  if (DimAlgebra::terms(b).front().coefficient < 0) return Dim(0) - mod(Dim(0) - a, Dim(0) - b);
  Reduced r = reduce(a, b);
  if (r.numerator.empty()) return Dim(0);
  Dim rest = 0;
  if (is_constant(r.divisor) && !is_constant(r.numerator) && constant_of(r.numerator) != 0) {
    int64_t content = r.divisor[0].coefficient;
    for (const DimTerm& t : r.numerator)
      if (!t.factors.empty()) content = std::gcd(content, t.coefficient);
    rest = floor_mod(constant_of(r.numerator), content);
    r.numerator = DimAlgebra::terms(DimAlgebra::make(r.numerator) - rest);
  }
  const DimTerm common = common_divisor(r.numerator, r.divisor);
  const Dim scale = DimAlgebra::make({common});
  cancel_common(r);
  const Dim numerator = DimAlgebra::make(r.numerator), divisor = DimAlgebra::make(r.divisor);
  if (divisor == Dim(1)) return rest;
  if (is_nonnegative(numerator) && is_at_most(numerator + 1, divisor)) return scale * numerator + rest;
  return scale * DimAlgebra::atom(DimAtom::kMod, {numerator, divisor}) + rest;
}

namespace {

void flatten(DimAtom::Kind kind, const Dim& dim, std::vector<Dim>& into) {
  if (const DimTerms* terms = DimAlgebra::view(dim); terms && terms->size() == 1 && terms->front().coefficient == 1 &&
                                                     terms->front().factors.size() == 1 &&
                                                     terms->front().factors[0]->kind == kind) {
    const auto& operands = terms->front().factors[0]->operands;
    into.insert(into.end(), operands.begin(), operands.end());
  } else {
    into.push_back(dim);
  }
}

// Operands in order, without those that another one is known to bound.
Dim extremum(DimAtom::Kind kind, const Dim& a, const Dim& b) {
  std::vector<Dim> all, kept;
  flatten(kind, a, all);
  flatten(kind, b, all);
  if (all.size() > kMaxOperands) throw_too_large();
  std::sort(all.begin(), all.end(), [](const Dim& x, const Dim& y) { return DimAlgebra::compare(x, y) < 0; });
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (size_t i = 0; i < all.size(); ++i) {
    bool needed = true;
    for (size_t j = 0; needed && j < all.size(); ++j) {
      if (i == j) continue;
      const bool bounded = kind == DimAtom::kMin ? is_at_most(all[j], all[i]) : is_at_most(all[i], all[j]);
      if (bounded) needed = false;
    }
    if (needed) kept.push_back(all[i]);
  }
  return kept.size() == 1 ? kept[0] : DimAlgebra::atom(kind, std::move(kept));
}

Dim substitute_atom(const DimAtom& atom, const std::function<std::optional<Dim>(const std::string&)>& map) {
  if (atom.kind == DimAtom::kSymbol) {
    auto replacement = map(atom.symbol);
    return replacement ? *replacement : Dim::symbol(atom.symbol);
  }
  Dim result = atom.operands[0].substitute(map);
  for (size_t i = 1; i < atom.operands.size(); ++i) {
    const Dim operand = atom.operands[i].substitute(map);
    switch (atom.kind) {
      case DimAtom::kFloorDiv: result = floor_div(result, operand); break;
      case DimAtom::kCeilDiv: result = ceil_div(result, operand); break;
      case DimAtom::kMod: result = mod(result, operand); break;
      case DimAtom::kMin: result = min(result, operand); break;
      default: result = max(result, operand); break;
    }
  }
  return result;
}

}  // namespace

Dim min(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return Dim(std::min(a.value(), b.value()));
  return extremum(DimAtom::kMin, a, b);
}

Dim max(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return Dim(std::max(a.value(), b.value()));
  return extremum(DimAtom::kMax, a, b);
}

void Dim::collect_symbols(std::set<std::string>& into) const {
  if (!expression_) return;
  for (const DimTerm& t : expression_->terms) {
    for (const DimAtomPtr& f : t.factors) {
      if (f->kind == DimAtom::kSymbol) into.insert(f->symbol);
      for (const Dim& operand : f->operands) operand.collect_symbols(into);
    }
  }
}

Dim Dim::substitute(const std::function<std::optional<Dim>(const std::string&)>& map) const {
  if (!expression_) return *this;
  Dim sum = 0;
  for (const DimTerm& t : expression_->terms) {
    Dim product = t.coefficient;
    for (const DimAtomPtr& f : t.factors) product = product * substitute_atom(*f, map);
    sum = sum + product;
  }
  return sum;
}

}  // namespace kiln
