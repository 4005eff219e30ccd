// The inside of Dim, shared by its algebra, its text form and its program.
#pragma once
#include <compare>
#include <memory>
#include <string>
#include <vector>

#include "tensor/dim.h"

namespace kiln {

// What a product multiplies: a symbol, or an operation that a polynomial cannot express.
struct DimAtom {
  enum Kind : uint8_t { kSymbol, kFloorDiv, kCeilDiv, kMod, kMin, kMax };
  Kind kind = kSymbol;
  std::string symbol;
  std::vector<Dim> operands;  // two; two or more, sorted, of kMin and kMax
  bool nonnegative = true;
  int depth = 1;
  int64_t nodes = 1;
};
using DimAtomPtr = std::shared_ptr<const DimAtom>;

// A coefficient, never zero, and factors in order, repeated for powers. No factors: a constant.
struct DimTerm {
  int64_t coefficient = 0;
  std::vector<DimAtomPtr> factors;
};

// A sum in order: higher degree first, the constant last; no two terms have the same factors.
using DimTerms = std::vector<DimTerm>;

struct Dim::Expression {
  DimTerms terms;
};

// The only code that sees both faces of a Dim.
struct DimAlgebra {
  static DimTerms terms(const Dim& dim);
  static const DimTerms* view(const Dim& dim) { return dim.expression_ ? &dim.expression_->terms : nullptr; }
  static Dim make(DimTerms terms);  // terms are in order and distinct
  static Dim atom(DimAtom::Kind kind, std::vector<Dim> operands);
  static std::strong_ordering compare(const Dim& a, const Dim& b);  // a total order
};

}  // namespace kiln
