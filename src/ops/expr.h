// Scalar expressions: how a pointwise operator writes its formula once, as ordinary C++ arithmetic, for every back end.
#pragma once
#include <span>

#include "tensor/scalar_program.h"

namespace kiln {

class ExprBuilder;

// A value of the scalar program under construction. Copyable; valid while its builder lives. Numbers convert to constants of
// the type of the expression that they meet. Operands of different arithmetic types are a defect of the operator and throw.
class Expr {
 public:
  Expr(ExprBuilder* builder, uint16_t id, ScalarType type) : builder_(builder), id_(id), type_(type) {}
  ScalarType type() const { return type_; }
  uint16_t id() const { return id_; }
  ExprBuilder& builder() const { return *builder_; }
  bool present() const { return builder_ != nullptr; }  // false for an optional input that the node lacks
  bool is_float() const { return type_ == ScalarType::kF32 || type_ == ScalarType::kF64; }
  Expr constant(double value) const;  // of this expression's type
  Expr convert(ScalarType type) const;
  Expr narrow(DType type) const;  // rounded or wrapped as elements of that type are

 private:
  ExprBuilder* builder_;
  uint16_t id_;
  ScalarType type_;
};

// Collects instructions; equal instructions are made once.
class ExprBuilder {
 public:
  Expr input(int index, ScalarType type);
  Expr constant(double real, int64_t integer, ScalarType type);
  Expr emit(ScalarOp op, ScalarType type, std::span<const Expr> operands, int64_t integer = 0);
  ScalarProgram finish(std::span<const Expr> outputs);

 private:
  Expr append(const ScalarInstruction& instruction);
  ScalarProgram program_;
};

Expr unary(ScalarOp op, Expr x);           // result has the type of x, kBool for predicates
Expr binary(ScalarOp op, Expr a, Expr b);  // result has the type of a, kBool for comparisons
Expr select(Expr condition, Expr a, Expr b);

inline Expr operator+(Expr a, Expr b) { return binary(ScalarOp::kAdd, a, b); }
inline Expr operator-(Expr a, Expr b) { return binary(ScalarOp::kSub, a, b); }
inline Expr operator*(Expr a, Expr b) { return binary(ScalarOp::kMul, a, b); }
inline Expr operator/(Expr a, Expr b) { return binary(ScalarOp::kDiv, a, b); }
inline Expr operator-(Expr a) { return unary(ScalarOp::kNeg, a); }
inline Expr operator==(Expr a, Expr b) { return binary(ScalarOp::kEqual, a, b); }
inline Expr operator<(Expr a, Expr b) { return binary(ScalarOp::kLess, a, b); }
inline Expr operator<=(Expr a, Expr b) { return binary(ScalarOp::kLessEqual, a, b); }
inline Expr operator>(Expr a, Expr b) { return binary(ScalarOp::kLess, b, a); }
inline Expr operator>=(Expr a, Expr b) { return binary(ScalarOp::kLessEqual, b, a); }
inline Expr min(Expr a, Expr b) { return binary(ScalarOp::kMin, a, b); }
inline Expr max(Expr a, Expr b) { return binary(ScalarOp::kMax, a, b); }
inline Expr pow(Expr a, Expr b) { return binary(ScalarOp::kPow, a, b); }

// The same with a number on either side.
inline Expr operator+(Expr a, double b) { return a + a.constant(b); }
inline Expr operator-(Expr a, double b) { return a - a.constant(b); }
inline Expr operator*(Expr a, double b) { return a * a.constant(b); }
inline Expr operator/(Expr a, double b) { return a / a.constant(b); }
inline Expr operator+(double a, Expr b) { return b.constant(a) + b; }
inline Expr operator-(double a, Expr b) { return b.constant(a) - b; }
inline Expr operator*(double a, Expr b) { return b.constant(a) * b; }
inline Expr operator/(double a, Expr b) { return b.constant(a) / b; }
inline Expr operator<(Expr a, double b) { return a < a.constant(b); }
inline Expr operator<=(Expr a, double b) { return a <= a.constant(b); }
inline Expr operator>(Expr a, double b) { return a > a.constant(b); }
inline Expr operator>=(Expr a, double b) { return a >= a.constant(b); }
inline Expr operator==(Expr a, double b) { return a == a.constant(b); }
inline Expr min(Expr a, double b) { return min(a, a.constant(b)); }
inline Expr max(Expr a, double b) { return max(a, a.constant(b)); }
inline Expr pow(Expr a, double b) { return pow(a, a.constant(b)); }
inline Expr clamp(Expr x, double low, double high) { return min(max(x, low), high); }

inline Expr abs(Expr x) { return unary(ScalarOp::kAbs, x); }
inline Expr sign(Expr x) { return unary(ScalarOp::kSign, x); }
inline Expr floor(Expr x) { return unary(ScalarOp::kFloor, x); }
inline Expr ceil(Expr x) { return unary(ScalarOp::kCeil, x); }
inline Expr round_half_even(Expr x) { return unary(ScalarOp::kRound, x); }
inline Expr sqrt(Expr x) { return unary(ScalarOp::kSqrt, x); }
inline Expr exp(Expr x) { return unary(ScalarOp::kExp, x); }
inline Expr expm1(Expr x) { return unary(ScalarOp::kExpm1, x); }
inline Expr log(Expr x) { return unary(ScalarOp::kLog, x); }
inline Expr log1p(Expr x) { return unary(ScalarOp::kLog1p, x); }
inline Expr sin(Expr x) { return unary(ScalarOp::kSin, x); }
inline Expr cos(Expr x) { return unary(ScalarOp::kCos, x); }
inline Expr tan(Expr x) { return unary(ScalarOp::kTan, x); }
inline Expr tanh(Expr x) { return unary(ScalarOp::kTanh, x); }
inline Expr erf(Expr x) { return unary(ScalarOp::kErf, x); }
inline Expr sigmoid(Expr x) { return 1.0 / (1.0 + exp(-x)); }

}  // namespace kiln
