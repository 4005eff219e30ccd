// Activations and epilogues on vectors, for inclusion into kernels. Included once per instruction set.
#if defined(KILN_EPILOGUE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KILN_EPILOGUE_INL_H_
#undef KILN_EPILOGUE_INL_H_
#else
#define KILN_EPILOGUE_INL_H_
#endif
#include <type_traits>

#include "backends/cpu/device/compute/epilogue.h"
#include "backends/cpu/device/compute/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// GELU of x is x with a share Phi(x) of it, so max(x, 0) - |x| * Phi(-|x|): no difference of nearly equal numbers at either end. A minimax
// polynomial of 2 |x| / limit - 1 is Phi(-|x|) up to the limit, behind which nothing is left of it; the result is within 4e-7 everywhere.
struct GeluTail {
  float limit;
  float terms[17];  // by falling powers
};
// Phi(x) = (1 + erf(x / sqrt(2))) / 2.
inline constexpr GeluTail kErfTail = {
    5.4f,
    {0.000864383124f, -0.0059188311f, 0.00311961374f, 0.0278708972f, -0.0387478843f, -0.0384576879f, 0.118040331f,
     -0.0465992838f, -0.134531856f, 0.211103618f, -0.0720671117f, -0.154851243f, 0.267298937f, -0.215010658f,
     0.102556691f, -0.028136868f, 0.0034669817f}};
// Phi(x) = (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2.
inline constexpr GeluTail kTanhTail = {
    5.2f,
    {0.00248609902f, -0.00487221219f, -0.00726297684f, 0.0237371344f, -0.00764537603f, -0.0353162289f, 0.0602779686f,
     -0.0302047525f, -0.0680444762f, 0.158486411f, -0.102878347f, -0.0941651687f, 0.246979043f, -0.232363001f,
     0.121605828f, -0.0353022218f, 0.00448226696f}};

HWY_INLINE VF gelu(F32 d, VF x, const GeluTail& tail) {
  const VF a = hn::Min(hn::Set(d, tail.limit), hn::Abs(x));  // in this order x86 returns NaN for NaN
  const VF s = hn::MulAdd(a, hn::Set(d, 2 / tail.limit), hn::Set(d, -1.0f));
  VF share = hn::Set(d, tail.terms[0]);
#pragma GCC unroll 16
  for (int k = 1; k < 17; ++k) share = hn::MulAdd(share, s, hn::Set(d, tail.terms[k]));
  // No share of -infinity is a number: it becomes NaN where it meets zero.
  const VF zero = hn::Zero(d), most = hn::MulAdd(hn::Min(zero, x), zero, hn::Max(zero, x));
  return hn::NegMulAdd(a, share, most);
}

// e^x within 1.5e-7 + |x| * 6e-8 of itself, in half of the time: for sums with 1, of whose error little is left where |x| is large.
HWY_INLINE VF exp_beside_one(F32 d, VF x) {
#if HWY_TARGET <= HWY_AVX3
  const VF z = clamp(hn::Mul(x, hn::Set(d, 1.44269504f)), hn::Set(d, -150.0f), hn::Set(d, 150.0f)), n = hn::Round(z);
#else
  // Powers that are no denormals, up to 2^128, which is infinity.
  const VF z = clamp(hn::Mul(x, hn::Set(d, 1.44269504f)), hn::Set(d, -126.0f), hn::Set(d, 128.0f));
  const VF shift = hn::Set(d, 0x1.8p23f), moved = hn::Add(z, shift), n = hn::Sub(moved, shift);
#endif
  const VF r = hn::Sub(z, n);
  VF p = hn::Set(d, 0.00132647308f);  // minimax of 2^r, 1 at 0
  p = hn::MulAdd(p, r, hn::Set(d, 0.00967151392f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.0555073358f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.240222424f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.693147004f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
#if HWY_TARGET <= HWY_AVX3
  return scale_by_power(d, p, n);
#else
  const I32 di;
  return hn::BitCast(d,
                     hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, moved))));  // its lowest bits are n
#endif
}

template <Activation kind> HWY_INLINE VF activate(F32 d, VF x, VF alpha, VF beta) {
  const VF zero = hn::Zero(d), one = hn::Set(d, 1.0f);
  if constexpr (kind == Activation::kRelu) {
    return hn::Max(zero, x);
  } else if constexpr (kind == Activation::kClip) {
    return clamp(x, alpha, beta);
  } else if constexpr (kind == Activation::kLeakyRelu) {
    return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(x, alpha), x);
  } else if constexpr (kind == Activation::kSigmoid) {
    return sigmoid(d, x);
  } else if constexpr (kind == Activation::kTanh) {
    return tanh(d, x);
  } else if constexpr (kind == Activation::kSilu) {
    return hn::Div(x, hn::Add(one, exp_beside_one(d, hn::Neg(x))));
  } else if constexpr (kind == Activation::kHardSwish) {
    return hn::Mul(x, clamp(hn::MulAdd(x, hn::Set(d, 1.0f / 6), hn::Set(d, 0.5f)), zero, one));
  } else if constexpr (kind == Activation::kHardSigmoid) {
    return clamp(hn::MulAdd(x, alpha, beta), zero, one);
  } else if constexpr (kind == Activation::kGeluErf) {
    return gelu(d, x, kErfTail);
  } else if constexpr (kind == Activation::kGeluTanh) {
    return gelu(d, x, kTanhTail);
  } else if constexpr (kind == Activation::kElu) {
    return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(alpha, expm1(d, x)), x);
  } else {
    return x;
  }
}

template <Activation... kinds, class F> HWY_INLINE void with_one_of(Activation kind, const F& f) {
  (void)((kind == kinds && (f(std::integral_constant<Activation, kinds>{}), true)) || ...);
}

// Calls f with the activation as a compile-time constant.
template <class F> HWY_INLINE void with_activation(Activation kind, const F& f) {
  using enum Activation;
  with_one_of<kNone, kRelu, kClip, kLeakyRelu, kSigmoid, kTanh, kSilu, kHardSwish, kHardSigmoid, kGeluErf, kGeluTanh,
              kElu>(kind, f);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
