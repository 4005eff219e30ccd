// Vector loads of partial vectors and elementary functions on float lanes, e^x on double lanes too. Relative errors are a few ulp; NaN,
// infinities and denormals behave as in <cmath>. Included once per instruction set.
#if defined(KILN_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KILN_SIMD_MATH_INL_H_
#undef KILN_SIMD_MATH_INL_H_
#else
#define KILN_SIMD_MATH_INL_H_
#endif
#include <cstdint>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using VF = hn::Vec<F32>;
using F64 = hn::ScalableTag<double>;
using VD = hn::Vec<F64>;

// The first n lanes, n < Lanes(d); the others are zero. Reads nothing behind them.
template <class D> HWY_INLINE hn::Vec<D> load_part(D d, const hn::TFromD<D>* p, int64_t n) {
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(n)), d, p);
#else
  HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(d)] = {};
  for (int64_t i = 0; i < n; ++i) lanes[i] = p[i];
  return hn::Load(d, lanes);
#endif
}

// All lanes, or the first `part` when that is less than `lanes`.
template <class D> HWY_INLINE hn::Vec<D> load_part_or_all(D d, const hn::TFromD<D>* p, int64_t part, int64_t lanes) {
  return part < lanes ? load_part(d, p, part) : hn::LoadU(d, p);
}

template <class D> HWY_INLINE void store_part(D d, hn::Vec<D> v, hn::TFromD<D>* p, int64_t n) {
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(n)), d, p);
#else
  HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
#endif
}

// Applies op(d, vector) to n elements.
template <class T, class Op> HWY_INLINE void transform(const T* in, T* out, int64_t n, const Op& op) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(op(d, hn::LoadU(d, in + i)), d, out + i);
  if (i < n) store_part(d, op(d, load_part(d, in + i, n - i)), out + i, n - i);
}

// Minimum and maximum that return NaN when either operand is one.
template <class V> HWY_INLINE V nan_min(V a, V b) { return hn::IfThenElse(hn::IsNaN(a), a, hn::Min(a, b)); }
template <class V> HWY_INLINE V nan_max(V a, V b) { return hn::IfThenElse(hn::IsNaN(a), a, hn::Max(a, b)); }
// x limited to [low, high]; NaN stays NaN, since x86 returns the second operand where one is NaN.
template <class V> HWY_INLINE V clamp(V x, V low, V high) { return hn::Min(high, hn::Max(low, x)); }

// x * 2^n for integral n in [-260, 260].
HWY_INLINE VF scale_by_power(F32 d, VF x, VF n) {
#if HWY_TARGET <= HWY_AVX3
  (void)d;
  return VF{_mm512_scalef_ps(x.raw, n.raw)};
#else
  const I32 di;
  const auto bias = hn::Set(di, 127);
  const auto whole = hn::ConvertTo(di, n), half = hn::ShiftRight<1>(whole);
  const VF a = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const VF b = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(whole, half), bias)));
  return hn::Mul(hn::Mul(x, a), b);
#endif
}

// Splits x = n ln 2 + r and returns e^r - 1.
HWY_INLINE VF exp_reduced(F32 d, VF x, VF& n) {
  n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  VF r = hn::NegMulAdd(n, hn::Set(d, 0.693145752f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860677e-6f), r);
  VF p = hn::Set(d, 0.000199193777f);
  p = hn::MulAdd(p, r, hn::Set(d, 0.0013947225f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.00833326264f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.0416662538f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.166666669f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.500000008f));
  return hn::MulAdd(hn::Mul(r, r), p, r);
}

HWY_INLINE VF exp(F32 d, VF x) {
  VF n;
  const VF p = exp_reduced(d, clamp(x, hn::Set(d, -105.0f), hn::Set(d, 90.0f)), n);
  return scale_by_power(d, hn::Add(p, hn::Set(d, 1.0f)), n);
}

// x * 2^n for integral n in [-1100, 1100].
HWY_INLINE VD scale_by_power(F64 d, VD x, VD n) {
#if HWY_TARGET <= HWY_AVX3
  (void)d;
  return VD{_mm512_scalef_pd(x.raw, n.raw)};
#else
  const hn::RebindToSigned<F64> di;
  // The sum's lowest bits are the power's exponent.
  const auto power = [&](VD k) HWY_ATTR {
    return hn::BitCast(d, hn::ShiftLeft<52>(hn::BitCast(di, hn::Add(k, hn::Set(d, 0x1.8p52 + 1023)))));
  };
  const VD half = hn::Floor(hn::Mul(n, hn::Set(d, 0.5)));
  return hn::Mul(hn::Mul(x, power(half)), power(hn::Sub(n, half)));
#endif
}

HWY_INLINE VD exp(F64 d, VD x) {
  x = clamp(x, hn::Set(d, -746.0), hn::Set(d, 710.0));
  const VD n = hn::Round(hn::Mul(x, hn::Set(d, 1.4426950408889634)));
  VD r = hn::NegMulAdd(n, hn::Set(d, 0x1.62e42feep-1), x);
  r = hn::NegMulAdd(n, hn::Set(d, 0x1.a39ef35793c76p-33), r);
  // (e^r - 1 - r) / r^2 = 1/2! + r/3! + ..., by pairs in powers of r^2: short chains.
  const VD square = hn::Mul(r, r);
  const auto pair = [&](double even, double odd) HWY_ATTR { return hn::MulAdd(hn::Set(d, odd), r, hn::Set(d, even)); };
  VD p = pair(1.0 / 479001600, 1.0 / 6227020800);
  p = hn::MulAdd(p, square, pair(1.0 / 3628800, 1.0 / 39916800));
  p = hn::MulAdd(p, square, pair(1.0 / 40320, 1.0 / 362880));
  p = hn::MulAdd(p, square, pair(1.0 / 720, 1.0 / 5040));
  p = hn::MulAdd(p, square, pair(1.0 / 24, 1.0 / 120));
  p = hn::MulAdd(p, square, pair(1.0 / 2, 1.0 / 6));
  return scale_by_power(d, hn::Add(hn::MulAdd(p, square, r), hn::Set(d, 1.0)), n);
}

HWY_INLINE VF expm1(F32 d, VF x) {
  VF n;
  const VF p = exp_reduced(d, clamp(x, hn::Set(d, -40.0f), hn::Set(d, 89.0f)), n);
  // Halved, so that 2^n does not overflow before the sum does.
  const VF half = scale_by_power(d, hn::Set(d, 0.5f), n);
  const VF sum = hn::MulAdd(p, half, hn::Sub(half, hn::Set(d, 0.5f)));
  return hn::IfThenElse(hn::Eq(n, hn::Zero(d)), p, hn::Add(sum, sum));
}

HWY_INLINE VF log(F32 d, VF x) {
  const I32 di;
  const VF one = hn::Set(d, 1.0f);
  const auto tiny = hn::Lt(x, hn::Set(d, std::numeric_limits<float>::min()));
  const auto bits = hn::BitCast(di, hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 8388608.0f)), x));
  // Mantissa in [sqrt(1/2), sqrt(2)).
  const auto shifted = hn::Sub(bits, hn::Set(di, 0x3f3504f3));
  const VF e = hn::Sub(hn::ConvertTo(d, hn::ShiftRight<23>(shifted)), hn::IfThenElseZero(tiny, hn::Set(d, 23.0f)));
  const auto mantissa = hn::Add(hn::And(shifted, hn::Set(di, 0x007fffff)), hn::Set(di, 0x3f3504f3));
  const VF f = hn::Sub(hn::BitCast(d, mantissa), one);
  VF p = hn::Set(d, 0.0674769173f);
  p = hn::MulAdd(p, f, hn::Set(d, -0.116775053f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.118887091f));
  p = hn::MulAdd(p, f, hn::Set(d, -0.124053426f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.142194516f));
  p = hn::MulAdd(p, f, hn::Set(d, -0.16668005f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.200021235f));
  p = hn::MulAdd(p, f, hn::Set(d, -0.250000095f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.333333125f));
  const VF ff = hn::Mul(f, f);
  VF y = hn::MulAdd(e, hn::Set(d, 1.42860677e-6f), hn::Mul(hn::Mul(ff, f), p));
  y = hn::Add(hn::NegMulAdd(ff, hn::Set(d, 0.5f), y), f);
  y = hn::MulAdd(e, hn::Set(d, 0.693145752f), y);
  const VF infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  y = hn::IfThenElse(hn::Lt(x, infinity), y, x);  // +infinity and NaN
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, std::numeric_limits<float>::quiet_NaN()), y);
}

HWY_INLINE VF log1p(F32 d, VF x) {
  const VF one = hn::Set(d, 1.0f), u = hn::Add(x, one);
  const VF y = hn::Mul(log(d, u), hn::Div(x, hn::Sub(u, one)));  // corrects the rounding of u
  const auto as_is = hn::Or(hn::Eq(u, one), hn::Eq(x, hn::Set(d, std::numeric_limits<float>::infinity())));
  return hn::IfThenElse(as_is, x, y);
}

HWY_INLINE VF sigmoid(F32 d, VF x) {
  const VF one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp(d, hn::Neg(x))));
}

HWY_INLINE VF tanh(F32 d, VF x) {
  const VF a = hn::Abs(x), limit = hn::Set(d, 10.0f);
  const VF t = expm1(d, hn::Mul(hn::Set(d, 2.0f), hn::IfThenElse(hn::Gt(a, limit), limit, a)));
  return hn::CopySign(hn::Div(t, hn::Add(t, hn::Set(d, 2.0f))), x);
}

HWY_INLINE VF erf(F32 d, VF x) {
  VF a = hn::Abs(x);
  const VF u = hn::Mul(a, a);
  VF s = hn::Set(d, -1.00680021e-05f);
  s = hn::MulAdd(s, u, hn::Set(d, 0.000113897472f));
  s = hn::MulAdd(s, u, hn::Set(d, -0.000849901796f));
  s = hn::MulAdd(s, u, hn::Set(d, 0.00522192012f));
  s = hn::MulAdd(s, u, hn::Set(d, -0.0268656999f));
  s = hn::MulAdd(s, u, hn::Set(d, 0.112837863f));
  s = hn::MulAdd(s, u, hn::Set(d, -0.376126387f));
  s = hn::Mul(hn::MulAdd(s, u, hn::Set(d, 1.12837917f)), a);
  const auto small = hn::Lt(a, hn::Set(d, 0.935f));
  // Above, 1 - e^-q(a); at 4 it is 1.
  a = hn::IfThenElse(hn::Gt(a, hn::Set(d, 4.0f)), hn::Set(d, 4.0f), a);
  VF q = hn::Set(d, 2.10950515e-05f);
  q = hn::MulAdd(q, a, hn::Set(d, -0.00043446263f));
  q = hn::MulAdd(q, a, hn::Set(d, 0.00417106309f));
  q = hn::MulAdd(q, a, hn::Set(d, -0.0251194275f));
  q = hn::MulAdd(q, a, hn::Set(d, 0.10828009f));
  q = hn::MulAdd(q, a, hn::Set(d, 0.633346906f));
  q = hn::MulAdd(q, a, hn::Set(d, 1.12951493f));
  q = hn::MulAdd(q, a, hn::Set(d, -0.000174684448f));
  VF n;
  const VF p = exp_reduced(d, hn::Neg(q), n);
  const VF big = hn::Sub(hn::Set(d, 1.0f), scale_by_power(d, hn::Add(p, hn::Set(d, 1.0f)), n));
  return hn::CopySign(hn::IfThenElse(small, s, big), x);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
