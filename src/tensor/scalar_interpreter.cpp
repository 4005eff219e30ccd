// The interpreter of scalar programs: one element at a time, the meaning that back ends are tested against.
#include <cmath>
#include <limits>

#include "base/index.h"
#include "tensor/convert.h"
#include "tensor/scalar_program.h"

namespace kiln {
namespace {

template <class T> T& member(ScalarValue& value) {
  if constexpr (std::is_same_v<T, bool>) return value.b;
  else if constexpr (std::is_same_v<T, int64_t>) return value.i;
  else if constexpr (std::is_same_v<T, uint64_t>) return value.u;
  else if constexpr (std::is_same_v<T, float>) return value.f;
  else return value.d;
}
template <class T> T member(const ScalarValue& value) { return member<T>(const_cast<ScalarValue&>(value)); }

template <class T> constexpr bool kIsReal = std::is_floating_point_v<T>;

template <class To, class From> To convert_value(From x) {
  if constexpr (std::is_same_v<To, bool>) return x != From(0);
  else if constexpr (kIsReal<From> && !kIsReal<To>) return static_cast<To>(int_from_double(x));
  else return static_cast<To>(x);
}

template <class To> To converted(ScalarType from, const ScalarValue& value) {
  switch (from) {
    case ScalarType::kBool: return convert_value<To>(value.b);
    case ScalarType::kI64: return convert_value<To>(value.i);
    case ScalarType::kU64: return convert_value<To>(value.u);
    case ScalarType::kF32: return convert_value<To>(value.f);
    case ScalarType::kF64: return convert_value<To>(value.d);
  }
  return To{};
}

template <class T> T unary_real(ScalarOp op, T x) {
  switch (op) {
    case ScalarOp::kNeg: return -x;
    case ScalarOp::kAbs: return std::fabs(x);
    case ScalarOp::kSign: return x > 0 ? T(1) : x < 0 ? T(-1) : x == 0 ? T(0) : x;
    case ScalarOp::kFloor: return std::floor(x);
    case ScalarOp::kCeil: return std::ceil(x);
    case ScalarOp::kRound: return std::nearbyint(x);
    case ScalarOp::kTrunc: return std::trunc(x);
    case ScalarOp::kSqrt: return std::sqrt(x);
    case ScalarOp::kExp: return std::exp(x);
    case ScalarOp::kLog: return std::log(x);
    case ScalarOp::kSin: return std::sin(x);
    case ScalarOp::kCos: return std::cos(x);
    case ScalarOp::kTan: return std::tan(x);
    case ScalarOp::kAsin: return std::asin(x);
    case ScalarOp::kAcos: return std::acos(x);
    case ScalarOp::kAtan: return std::atan(x);
    case ScalarOp::kSinh: return std::sinh(x);
    case ScalarOp::kCosh: return std::cosh(x);
    case ScalarOp::kTanh: return std::tanh(x);
    case ScalarOp::kAsinh: return std::asinh(x);
    case ScalarOp::kAcosh: return std::acosh(x);
    case ScalarOp::kAtanh: return std::atanh(x);
    case ScalarOp::kErf: return std::erf(x);
    case ScalarOp::kLog1p: return std::log1p(x);
    case ScalarOp::kExpm1: return std::expm1(x);
    default: return T(0);
  }
}

// Integers wrap: the arithmetic is done on their unsigned bits.
template <class T> T unary_integer(ScalarOp op, T x) {
  const auto bits = static_cast<uint64_t>(x);
  switch (op) {
    case ScalarOp::kNeg: return static_cast<T>(0 - bits);
    case ScalarOp::kAbs: return x < T(0) ? static_cast<T>(0 - bits) : x;
    case ScalarOp::kSign: return x > T(0) ? T(1) : x < T(0) ? static_cast<T>(-1) : T(0);
    case ScalarOp::kBitNot: return static_cast<T>(~bits);
    default: return T(0);
  }
}

template <class T> T binary_real(ScalarOp op, T a, T b) {
  switch (op) {
    case ScalarOp::kAdd: return a + b;
    case ScalarOp::kSub: return a - b;
    case ScalarOp::kMul: return a * b;
    case ScalarOp::kDiv: return a / b;
    case ScalarOp::kPow: return std::pow(a, b);
    case ScalarOp::kMin: return std::isnan(a) ? a : std::isnan(b) ? b : a < b ? a : b;
    case ScalarOp::kMax: return std::isnan(a) ? a : std::isnan(b) ? b : a > b ? a : b;
    case ScalarOp::kFmod: return std::fmod(a, b);
    case ScalarOp::kMod: {
      const T r = std::fmod(a, b);
      if (r == 0) return std::copysign(r, b);
      return (r < 0) != (b < 0) ? r + b : r;
    }
    default: return T(0);
  }
}

template <class T> bool overflows_division(T a, T b) {
  if constexpr (std::is_signed_v<T>) return a == std::numeric_limits<T>::min() && b == -1;
  return false;
}

template <class T> T divide(T a, T b) {
  if (b == 0) return 0;
  return overflows_division(a, b) ? a : a / b;
}

template <class T> T remainder(T a, T b) { return b == 0 || overflows_division(a, b) ? T(0) : static_cast<T>(a % b); }

template <class T> T integer_power(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) {
      if (base == 1) return 1;
      if (base == -1) return exponent % 2 == 0 ? 1 : -1;
      return 0;
    }
  }
  uint64_t result = 1, factor = static_cast<uint64_t>(base);
  for (auto rest = static_cast<uint64_t>(exponent); rest; rest >>= 1, factor *= factor)
    if (rest & 1) result *= factor;
  return static_cast<T>(result);
}

// A count of 64 or more, or below zero, shifts every bit out.
template <class T> T shift_right(T a, uint64_t count) {
  return a >> (count > 63 ? 63 : count) >> (count > 63 && std::is_unsigned_v<T> ? 1 : 0);
}

template <class T> T binary_integer(ScalarOp op, T a, T b) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  switch (op) {
    case ScalarOp::kAdd: return static_cast<T>(x + y);
    case ScalarOp::kSub: return static_cast<T>(x - y);
    case ScalarOp::kMul: return static_cast<T>(x * y);
    case ScalarOp::kDiv: return divide(a, b);
    case ScalarOp::kPow: return integer_power(a, b);
    case ScalarOp::kMin: return a < b ? a : b;
    case ScalarOp::kMax: return a > b ? a : b;
    case ScalarOp::kFmod: return remainder(a, b);
    case ScalarOp::kMod: {
      const T r = remainder(a, b);
      return r != 0 && (r < T(0)) != (b < T(0)) ? static_cast<T>(r + b) : r;
    }
    case ScalarOp::kBitAnd: return static_cast<T>(x & y);
    case ScalarOp::kBitOr: return static_cast<T>(x | y);
    case ScalarOp::kBitXor: return static_cast<T>(x ^ y);
    case ScalarOp::kShiftLeft: return y > 63 ? T(0) : static_cast<T>(x << y);
    case ScalarOp::kShiftRight: return shift_right(a, y);
    default: return T(0);
  }
}

bool binary_bool(ScalarOp op, bool a, bool b) {
  if (op == ScalarOp::kAnd) return a && b;
  if (op == ScalarOp::kOr) return a || b;
  return a != b;
}

template <class T> T unary(ScalarOp op, T x) {
  if constexpr (std::is_same_v<T, bool>) return !x;
  else if constexpr (kIsReal<T>) return unary_real(op, x);
  else return unary_integer(op, x);
}

template <class T> T binary(ScalarOp op, T a, T b) {
  if constexpr (std::is_same_v<T, bool>) return binary_bool(op, a, b);
  else if constexpr (kIsReal<T>) return binary_real(op, a, b);
  else return binary_integer(op, a, b);
}

template <class T> bool compare(ScalarOp op, T a, T b) {
  if (op == ScalarOp::kEqual) return a == b;
  return op == ScalarOp::kLess ? a < b : a <= b;
}

template <class T> bool classify(ScalarOp op, T x) {
  if constexpr (kIsReal<T>) {
    if (op == ScalarOp::kIsNan) return std::isnan(x);
    return std::isinf(x) && (x > 0) == (op == ScalarOp::kIsPositiveInf);
  }
  return false;
}

// Calls `function` with a value of the C++ type that `type` computes in.
template <class Function> void with_type(ScalarType type, Function&& function) {
  switch (type) {
    case ScalarType::kBool: return function(bool{});
    case ScalarType::kI64: return function(int64_t{});
    case ScalarType::kU64: return function(uint64_t{});
    case ScalarType::kF32: return function(float{});
    case ScalarType::kF64: return function(double{});
  }
}

ScalarValue constant(const ScalarInstruction& v) {
  ScalarValue value;
  switch (v.type) {
    case ScalarType::kBool: value.b = v.integer != 0; break;
    case ScalarType::kI64: value.i = v.integer; break;
    case ScalarType::kU64: value.u = static_cast<uint64_t>(v.integer); break;
    case ScalarType::kF32: value.f = static_cast<float>(v.real); break;
    case ScalarType::kF64: value.d = v.real; break;
  }
  return value;
}

ScalarValue run(const ScalarProgram& program, const ScalarInstruction& v, std::span<const ScalarValue> inputs,
                std::span<const ScalarValue> values) {
  if (v.op == ScalarOp::kInput) return nth(inputs, v.integer);
  if (v.op == ScalarOp::kConstant) return constant(v);
  if (v.op == ScalarOp::kSelect) return values[v.a].b ? values[v.b] : values[v.c];
  const ScalarType operand = program.code[v.a].type;
  const ScalarValue a = values[v.a];
  ScalarValue result{};
  if (v.op == ScalarOp::kNarrow) {
    uint64_t element = 0;
    store_scalar(static_cast<DType>(v.integer), &element, 0, operand, a);
    return load_scalar(static_cast<DType>(v.integer), &element, 0);
  }
  if (v.op == ScalarOp::kConvert) {
    with_type(v.type, [&](auto t) { member<decltype(t)>(result) = converted<decltype(t)>(operand, a); });
  } else if (v.op < ScalarOp::kIsNan) {
    with_type(operand, [&](auto t) { member<decltype(t)>(result) = unary(v.op, member<decltype(t)>(a)); });
  } else if (v.op < ScalarOp::kAdd) {
    with_type(operand, [&](auto t) { result.b = classify(v.op, member<decltype(t)>(a)); });
  } else if (v.op < ScalarOp::kEqual) {
    with_type(operand, [&](auto t) {
      member<decltype(t)>(result) = binary(v.op, member<decltype(t)>(a), member<decltype(t)>(values[v.b]));
    });
  } else {
    with_type(operand,
              [&](auto t) { result.b = compare(v.op, member<decltype(t)>(a), member<decltype(t)>(values[v.b])); });
  }
  return result;
}

}  // namespace

void interpret(const ScalarProgram& program, std::span<const ScalarValue> inputs, std::span<ScalarValue> values) {
  for (size_t i = 0; i < program.code.size(); ++i) values[i] = run(program, program.code[i], inputs, values);
}

ScalarValue load_scalar(DType type, const void* data, int64_t index) {
  ScalarValue value{};
  switch (scalar_type_of(type)) {
    case ScalarType::kBool: value.b = load_int(type, data, index) != 0; break;
    case ScalarType::kI64: value.i = load_int(type, data, index); break;
    case ScalarType::kU64: value.u = static_cast<uint64_t>(load_int(type, data, index)); break;
    case ScalarType::kF32: value.f = static_cast<float>(load_double(type, data, index)); break;
    case ScalarType::kF64: value.d = load_double(type, data, index); break;
  }
  return value;
}

void store_scalar(DType type, void* data, int64_t index, ScalarType from, ScalarValue value) {
  switch (from) {
    case ScalarType::kBool: return store_int(type, data, index, value.b);
    case ScalarType::kI64: return store_int(type, data, index, value.i);
    case ScalarType::kU64: return store_uint(type, data, index, value.u);
    case ScalarType::kF32: return store_double(type, data, index, value.f);
    case ScalarType::kF64: return store_double(type, data, index, value.d);
  }
}

}  // namespace kiln
