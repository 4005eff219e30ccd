// The arithmetic of scalar programs, as tensor/scalar_interpreter.cpp defines it.
#pragma once
#include <cstdint>

#include "tensor/scalar_program.h"

namespace kiln::cuda {

// Truncates. From 2^63 to 2^64 gives the bits of the uint64; outside of both ranges, and for NaN, the smallest int64.
__device__ inline int64_t int_from_real(double value) {
  if (value >= -9223372036854775808.0 && value < 9223372036854775808.0) return static_cast<int64_t>(value);
  if (value >= 9223372036854775808.0 && value < 18446744073709551616.0)
    return static_cast<int64_t>(static_cast<uint64_t>(value));
  return INT64_MIN;
}

template <class T> __device__ T real_unary(ScalarOp op, T x) {
  switch (op) {
    case ScalarOp::kNeg: return -x;
    case ScalarOp::kAbs: return fabs(x);
    case ScalarOp::kSign: return x > 0 ? T(1) : x < 0 ? T(-1) : x == 0 ? T(0) : x;
    case ScalarOp::kFloor: return floor(x);
    case ScalarOp::kCeil: return ceil(x);
    case ScalarOp::kRound: return nearbyint(x);
    case ScalarOp::kTrunc: return trunc(x);
    case ScalarOp::kSqrt: return sqrt(x);
    case ScalarOp::kExp: return exp(x);
    case ScalarOp::kLog: return log(x);
    case ScalarOp::kSin: return sin(x);
    case ScalarOp::kCos: return cos(x);
    case ScalarOp::kTan: return tan(x);
    case ScalarOp::kAsin: return asin(x);
    case ScalarOp::kAcos: return acos(x);
    case ScalarOp::kAtan: return atan(x);
    case ScalarOp::kSinh: return sinh(x);
    case ScalarOp::kCosh: return cosh(x);
    case ScalarOp::kTanh: return tanh(x);
    case ScalarOp::kAsinh: return asinh(x);
    case ScalarOp::kAcosh: return acosh(x);
    case ScalarOp::kAtanh: return atanh(x);
    case ScalarOp::kErf: return erf(x);
    case ScalarOp::kLog1p: return log1p(x);
    case ScalarOp::kExpm1: return expm1(x);
    default: return T(0);
  }
}

template <class T> __device__ T real_binary(ScalarOp op, T a, T b) {
  switch (op) {
    case ScalarOp::kAdd: return a + b;
    case ScalarOp::kSub: return a - b;
    case ScalarOp::kMul: return a * b;
    case ScalarOp::kDiv: return a / b;
    case ScalarOp::kPow: return pow(a, b);
    case ScalarOp::kMin: return a != a ? a : b != b ? b : a < b ? a : b;
    case ScalarOp::kMax: return a != a ? a : b != b ? b : a > b ? a : b;
    case ScalarOp::kFmod: return fmod(a, b);
    case ScalarOp::kMod: {
      const T r = fmod(a, b);
      if (r == 0) return copysign(r, b);
      return (r < 0) != (b < 0) ? r + b : r;
    }
    default: return T(0);
  }
}

// Integers wrap: the arithmetic is done on their unsigned bits.
template <class T> __device__ T integer_unary(ScalarOp op, T x) {
  const auto bits = static_cast<uint64_t>(x);
  switch (op) {
    case ScalarOp::kNeg: return static_cast<T>(0 - bits);
    case ScalarOp::kAbs: return x < T(0) ? static_cast<T>(0 - bits) : x;
    case ScalarOp::kSign: return x > T(0) ? T(1) : x < T(0) ? static_cast<T>(-1) : T(0);
    case ScalarOp::kBitNot: return static_cast<T>(~bits);
    default: return T(0);
  }
}

template <class T> constexpr bool kSigned = T(-1) < T(0);

template <class T> __device__ bool overflows_division(T a, T b) {
  return kSigned<T> && a == static_cast<T>(INT64_MIN) && b == static_cast<T>(-1);
}

template <class T> __device__ T integer_quotient(T a, T b) { return b == 0 ? T(0) : overflows_division(a, b) ? a : a / b; }
template <class T> __device__ T integer_remainder(T a, T b) { return b == 0 || overflows_division(a, b) ? T(0) : a % b; }

template <class T> __device__ T integer_power(T base, T exponent) {
  if (kSigned<T> && exponent < T(0)) {
    if (base == T(1)) return T(1);
    if (base == static_cast<T>(-1)) return exponent % T(2) == T(0) ? T(1) : static_cast<T>(-1);
    return T(0);
  }
  uint64_t result = 1, factor = static_cast<uint64_t>(base);
  for (auto rest = static_cast<uint64_t>(exponent); rest; rest >>= 1, factor *= factor)
    if (rest & 1) result *= factor;
  return static_cast<T>(result);
}

template <class T> __device__ T integer_binary(ScalarOp op, T a, T b) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  switch (op) {
    case ScalarOp::kAdd: return static_cast<T>(x + y);
    case ScalarOp::kSub: return static_cast<T>(x - y);
    case ScalarOp::kMul: return static_cast<T>(x * y);
    case ScalarOp::kDiv: return integer_quotient(a, b);
    case ScalarOp::kPow: return integer_power(a, b);
    case ScalarOp::kMin: return a < b ? a : b;
    case ScalarOp::kMax: return a > b ? a : b;
    case ScalarOp::kFmod: return integer_remainder(a, b);
    case ScalarOp::kMod: {
      const T r = integer_remainder(a, b);
      return r != T(0) && (r < T(0)) != (b < T(0)) ? static_cast<T>(r + b) : r;
    }
    case ScalarOp::kBitAnd: return static_cast<T>(x & y);
    case ScalarOp::kBitOr: return static_cast<T>(x | y);
    case ScalarOp::kBitXor: return static_cast<T>(x ^ y);
    case ScalarOp::kShiftLeft: return y > 63 ? T(0) : static_cast<T>(x << y);
    case ScalarOp::kShiftRight: return y > 63 ? (a < T(0) ? static_cast<T>(-1) : T(0)) : static_cast<T>(a >> y);
    default: return T(0);
  }
}

__device__ inline bool bool_binary(ScalarOp op, bool a, bool b) {
  return op == ScalarOp::kAnd ? a && b : op == ScalarOp::kOr ? a || b : a != b;
}

template <class T> __device__ bool compared(ScalarOp op, T a, T b) {
  return op == ScalarOp::kEqual ? a == b : op == ScalarOp::kLess ? a < b : a <= b;
}

template <class T> __device__ bool classified(ScalarOp op, T x) {
  if (op == ScalarOp::kIsNan) return x != x;
  return isinf(x) && (x > 0) == (op == ScalarOp::kIsPositiveInf);
}

}  // namespace kiln::cuda
