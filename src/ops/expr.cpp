// Construction of scalar programs from expressions.
#include "ops/expr.h"

#include <algorithm>

#include "base/error.h"
#include "base/require.h"

namespace kiln {

Expr Expr::constant(double value) const { return builder_->constant(value, static_cast<int64_t>(value), type_); }

Expr Expr::convert(ScalarType type) const {
  if (type == type_) return *this;
  const Expr self[] = {*this};
  return builder_->emit(ScalarOp::kConvert, type, self);
}

Expr Expr::narrow(DType type) const {
  const ScalarType to = scalar_type_of(type);
  const bool rounds_once = type_ == ScalarType::kF64 && to == ScalarType::kF32;
  const Expr self[] = {rounds_once ? *this : convert(to)};
  return builder_->emit(ScalarOp::kNarrow, to, self, static_cast<int64_t>(type));
}

Expr ExprBuilder::append(const ScalarInstruction& instruction) {
  auto& code = program_.code;
  auto it = std::find(code.begin(), code.end(), instruction);
  if (it == code.end()) {
    require(code.size() < kMaxScalarInstructions, Code::kInternal, "a scalar program is too long");
    it = code.insert(code.end(), instruction);
  }
  return Expr(this, static_cast<uint16_t>(it - code.begin()), instruction.type);
}

Expr ExprBuilder::input(int index, ScalarType type) {
  program_.input_count = std::max<uint16_t>(program_.input_count, static_cast<uint16_t>(index + 1));
  return append({.op = ScalarOp::kInput, .type = type, .integer = index});
}

Expr ExprBuilder::constant(double real, int64_t integer, ScalarType type) {
  const bool is_float = type == ScalarType::kF32 || type == ScalarType::kF64;
  return append(
      {.op = ScalarOp::kConstant, .type = type, .real = is_float ? real : 0, .integer = is_float ? 0 : integer});
}

Expr ExprBuilder::emit(ScalarOp op, ScalarType type, std::span<const Expr> operands, int64_t integer) {
  ScalarInstruction instruction{.op = op, .type = type, .integer = integer};
  uint16_t* slots[] = {&instruction.a, &instruction.b, &instruction.c};
  for (size_t i = 0; i < operands.size(); ++i) *slots[i] = operands[i].id();
  return append(instruction);
}

ScalarProgram ExprBuilder::finish(std::span<const Expr> outputs) {
  for (const Expr& e : outputs) program_.outputs.push_back(e.id());
  if (std::string defect = find_defect(program_); !defect.empty())
    throw Error(Code::kInternal, "scalar program: " + defect);
  return std::move(program_);
}

Expr unary(ScalarOp op, Expr x) {
  const bool predicate = op == ScalarOp::kIsNan || op == ScalarOp::kIsPositiveInf || op == ScalarOp::kIsNegativeInf;
  const Expr operands[] = {x};
  return x.builder().emit(op, predicate ? ScalarType::kBool : x.type(), operands);
}

Expr binary(ScalarOp op, Expr a, Expr b) {
  const bool comparison = op == ScalarOp::kEqual || op == ScalarOp::kLess || op == ScalarOp::kLessEqual;
  const Expr operands[] = {a, b};
  return a.builder().emit(op, comparison ? ScalarType::kBool : a.type(), operands);
}

Expr select(Expr condition, Expr a, Expr b) {
  const Expr operands[] = {condition, a, b};
  return a.builder().emit(ScalarOp::kSelect, a.type(), operands);
}

}  // namespace kiln
