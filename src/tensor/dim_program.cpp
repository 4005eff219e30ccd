// Postfix programs of symbolic dimensions.
#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "tensor/dim.h"
#include "tensor/dim_expression.h"

namespace kiln {
namespace {

void emit(const Dim& dim, std::vector<DimOp>& program);

DimOp operation(DimOp::Kind kind) { return {kind, 0, {}}; }

void emit(const DimAtom& atom, std::vector<DimOp>& program) {
  static constexpr DimOp::Kind kKinds[] = {DimOp::kSymbol, DimOp::kFloorDiv, DimOp::kCeilDiv,
                                           DimOp::kMod,    DimOp::kMin,      DimOp::kMax};
  if (atom.kind == DimAtom::kSymbol) {
    program.push_back({DimOp::kSymbol, 0, atom.symbol});
    return;
  }
  emit(atom.operands[0], program);
  for (size_t i = 1; i < atom.operands.size(); ++i) {
    emit(atom.operands[i], program);
    program.push_back(operation(kKinds[atom.kind]));
  }
}

// Without its coefficient when that is 1 or, in a subtraction, -1.
void emit(const DimTerm& term, int64_t coefficient, std::vector<DimOp>& program) {
  const bool plain = coefficient == 1 && !term.factors.empty();
  if (!plain) program.push_back({DimOp::kConstant, coefficient, {}});
  for (size_t i = 0; i < term.factors.size(); ++i) {
    emit(*term.factors[i], program);
    if (i > 0 || !plain) program.push_back(operation(DimOp::kMul));
  }
}

void emit(const Dim& dim, std::vector<DimOp>& program) {
  const DimTerms* terms = DimAlgebra::view(dim);
  if (!terms) {
    program.push_back({DimOp::kConstant, dim.value(), {}});
    return;
  }
  for (size_t i = 0; i < terms->size(); ++i) {
    const DimTerm& term = (*terms)[i];
    const bool subtract = i > 0 && term.coefficient < 0 && term.coefficient != std::numeric_limits<int64_t>::min();
    emit(term, subtract ? -term.coefficient : term.coefficient, program);
    if (i > 0) program.push_back(operation(subtract ? DimOp::kSub : DimOp::kAdd));
  }
}

std::optional<int64_t> apply(DimOp::Kind kind, int64_t a, int64_t b) {
  const bool divides = kind == DimOp::kFloorDiv || kind == DimOp::kCeilDiv || kind == DimOp::kMod;
  if (divides && b == 0) return std::nullopt;
  if (divides && b == -1) return kind == DimOp::kMod ? std::optional<int64_t>(0) : checked_sub(0, a);
  switch (kind) {
    case DimOp::kAdd: return checked_add(a, b);
    case DimOp::kSub: return checked_sub(a, b);
    case DimOp::kMul: return checked_mul(a, b);
    case DimOp::kFloorDiv: return floor_div(a, b);
    case DimOp::kCeilDiv: return floor_div(a, b) + (a % b != 0);
    case DimOp::kMod: return a % b == 0 || (a < 0) == (b < 0) ? a % b : a % b + b;
    case DimOp::kMin: return std::min(a, b);
    case DimOp::kMax: return std::max(a, b);
    default: return std::nullopt;
  }
}

}  // namespace

std::vector<DimOp> Dim::program() const {
  std::vector<DimOp> ops;
  emit(*this, ops);
  return ops;
}

std::optional<int64_t> evaluate(const std::vector<DimOp>& program,
                                const std::function<std::optional<int64_t>(const std::string&)>& symbols) {
  std::vector<int64_t> stack;
  for (const DimOp& op : program) {
    std::optional<int64_t> result;
    if (op.kind == DimOp::kConstant) {
      result = op.value;
    } else if (op.kind == DimOp::kSymbol) {
      result = symbols(op.symbol);
    } else {
      if (stack.size() < 2) return std::nullopt;
      const int64_t b = stack.back();
      stack.pop_back();
      const int64_t a = stack.back();
      stack.pop_back();
      result = apply(op.kind, a, b);
    }
    if (!result) return std::nullopt;
    stack.push_back(*result);
  }
  if (stack.size() != 1) return std::nullopt;
  return stack[0];
}

}  // namespace kiln
