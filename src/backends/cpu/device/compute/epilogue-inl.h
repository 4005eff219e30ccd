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

template <Activation kind> HWY_INLINE VF activate(F32 d, VF x, VF alpha, VF beta) {
  const VF zero = hn::Zero(d), one = hn::Set(d, 1.0f), half = hn::Set(d, 0.5f);
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
    return hn::Div(x, hn::Add(one, exp(d, hn::Neg(x))));
  } else if constexpr (kind == Activation::kHardSwish) {
    return hn::Mul(x, clamp(hn::MulAdd(x, hn::Set(d, 1.0f / 6), half), zero, one));
  } else if constexpr (kind == Activation::kHardSigmoid) {
    return clamp(hn::MulAdd(x, alpha, beta), zero, one);
  } else if constexpr (kind == Activation::kGeluErf) {
    const VF h = hn::Mul(x, half);
    return hn::MulAdd(h, erf(d, hn::Mul(x, hn::Set(d, 0.707106781f))), h);
  } else if constexpr (kind == Activation::kGeluTanh) {
    const VF h = hn::Mul(x, half);
    const VF inner = hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715f), x);
    return hn::MulAdd(h, tanh(d, hn::Mul(inner, hn::Set(d, 0.797884561f))), h);
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
