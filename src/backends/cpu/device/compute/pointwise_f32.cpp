// Vector loops of pointwise tiles on f32, and conversions of 16-bit floats and small integers.
#include <array>
#include <cmath>

#include "backends/cpu/device/compute/pointwise_tiles.h"
#include "tensor/convert.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/pointwise_f32.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/epilogue-inl.h"
#include "backends/cpu/device/compute/pointwise_loops-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

HWY_INLINE VF from_mask(F32 d, hn::Mask<F32> m) { return hn::VecFromMask(d, m); }

// Lanes for which the vector form is not made go through `f` one by one.
template <class F> HWY_INLINE VF by_lane(F32 d, VF a, VF b, const F& f) {
  HWY_ALIGN float x[hn::MaxLanes(d)], y[hn::MaxLanes(d)];
  hn::Store(a, d, x);
  hn::Store(b, d, y);
  for (size_t i = 0; i < hn::Lanes(d); ++i) x[i] = f(x[i], y[i]);
  return hn::Load(d, x);
}

HWY_INLINE VF pow(F32 d, VF x, VF y) {
  const VF infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const auto plain = hn::And(hn::And(hn::Ge(x, hn::Set(d, std::numeric_limits<float>::min())), hn::Lt(x, infinity)),
                             hn::Lt(hn::Abs(y), infinity));
  if (!hn::AllTrue(d, plain)) return by_lane(d, x, y, [](float a, float b) { return std::pow(a, b); });
  const hn::Half<F32> dh;
  const hn::Rebind<double, decltype(dh)> dd;
  auto half = [&](auto xh, auto yh) HWY_ATTR {
    const auto product = hn::Mul(hn::Log(dd, hn::PromoteTo(dd, xh)), hn::PromoteTo(dd, yh));
    return hn::DemoteTo(dh, hn::Exp(dd, clamp(product, hn::Set(dd, -110.0), hn::Set(dd, 90.0))));
  };
  return hn::Combine(d, half(hn::UpperHalf(dh, x), hn::UpperHalf(dh, y)),
                     half(hn::LowerHalf(dh, x), hn::LowerHalf(dh, y)));
}

template <bool cosine> HWY_INLINE VF sine(F32 d, VF x) {
  if (!hn::AllTrue(d, hn::Lt(hn::Abs(x), hn::Set(d, 30000.0f)))) {
    return by_lane(d, x, x, [](float a, float) { return cosine ? std::cos(a) : std::sin(a); });
  }
  if constexpr (cosine) return hn::Cos(d, x);
  return hn::Sin(d, x);
}

KILN_UNARY(float, tile_neg, hn::Neg(x))
KILN_UNARY(float, tile_abs, hn::Abs(x))
KILN_UNARY(float, tile_floor, hn::Floor(x))
KILN_UNARY(float, tile_ceil, hn::Ceil(x))
KILN_UNARY(float, tile_round, hn::Round(x))
KILN_UNARY(float, tile_trunc, hn::Trunc(x))
KILN_UNARY(float, tile_sqrt, hn::Sqrt(x))
KILN_UNARY(float, tile_exp, exp(d, x))
KILN_UNARY(float, tile_log, log(d, x))
KILN_UNARY(float, tile_sin, sine<false>(d, x))
KILN_UNARY(float, tile_cos, sine<true>(d, x))
KILN_UNARY(float, tile_tanh, tanh(d, x))
KILN_UNARY(float, tile_erf, erf(d, x))
KILN_UNARY(float, tile_log1p, log1p(d, x))
KILN_UNARY(float, tile_expm1, expm1(d, x))
KILN_UNARY(float, tile_not, hn::Not(x))
KILN_UNARY(float, tile_is_nan, from_mask(d, hn::IsNaN(x)))
KILN_UNARY(float, tile_is_positive_inf, from_mask(d, hn::Eq(x, hn::Set(d, std::numeric_limits<float>::infinity()))))
KILN_UNARY(float, tile_is_negative_inf, from_mask(d, hn::Eq(x, hn::Set(d, -std::numeric_limits<float>::infinity()))))
KILN_UNARY(float, tile_sign,
           hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Set(d, 1.0f),
                          hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, -1.0f), hn::Add(x, hn::Zero(d)))))
KILN_UNARY(float, tile_sigmoid, sigmoid(d, x))
KILN_UNARY(float, tile_silu, activate<Activation::kSilu>(d, x, x, x))
KILN_UNARY(float, tile_relu, activate<Activation::kRelu>(d, x, x, x))
KILN_BINARY(float, tile_add, hn::Add(x, y))
KILN_BINARY(float, tile_add_relu, activate<Activation::kRelu>(d, hn::Add(x, y), x, x))
KILN_BINARY(float, tile_sub, hn::Sub(x, y))
KILN_BINARY(float, tile_mul, hn::Mul(x, y))
KILN_BINARY(float, tile_div, hn::Div(x, y))
KILN_BINARY(float, tile_pow, pow(d, x, y))
KILN_BINARY(float, tile_min, nan_min(x, y))
KILN_BINARY(float, tile_max, nan_max(x, y))
KILN_BINARY(float, tile_and, hn::And(x, y))
KILN_BINARY(float, tile_or, hn::Or(x, y))
KILN_BINARY(float, tile_xor, hn::Xor(x, y))
KILN_BINARY(float, tile_equal, from_mask(d, hn::Eq(x, y)))
KILN_BINARY(float, tile_less, from_mask(d, hn::Lt(x, y)))
KILN_BINARY(float, tile_less_equal, from_mask(d, hn::Le(x, y)))

void tile_clip(const TileCall& c) {
  const VF low = hn::Set(F32(), c.alpha), high = hn::Set(F32(), c.beta);
  unary<float>(c, [&](F32, VF x) HWY_ATTR { return clamp(x, low, high); });
}

void tile_select(const TileCall& c) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Lanes<float> m(c, 0), a(c, 1), b(c, 2);
  float* out = static_cast<float*>(c.out);
  int64_t left = c.n;
  for (; left >= lanes; left -= lanes, m.p += m.step, a.p += a.step, b.p += b.step, out += lanes) {
    hn::StoreU(hn::IfThenElse(hn::MaskFromVec(hn::LoadU(d, m.p)), hn::LoadU(d, a.p), hn::LoadU(d, b.p)), d, out);
  }
  if (!left) return;
  const auto mask = hn::MaskFromVec(load_part(d, m.p, left));
  store_part(d, hn::IfThenElse(mask, load_part(d, a.p, left), load_part(d, b.p, left)), out, left);
}

TileKernel find_f32(ScalarOp op) {
  switch (op) {
    case ScalarOp::kNeg: return {tile_neg, 0.05f};
    case ScalarOp::kAbs: return {tile_abs, 0.05f};
    case ScalarOp::kSign: return {tile_sign, 0.05f};
    case ScalarOp::kFloor: return {tile_floor, 0.05f};
    case ScalarOp::kCeil: return {tile_ceil, 0.05f};
    case ScalarOp::kRound: return {tile_round, 0.05f};
    case ScalarOp::kTrunc: return {tile_trunc, 0.05f};
    case ScalarOp::kSqrt: return {tile_sqrt, 0.2f};
    case ScalarOp::kExp: return {tile_exp, 0.4f};
    case ScalarOp::kLog: return {tile_log, 0.5f};
    case ScalarOp::kSin: return {tile_sin, 0.5f};
    case ScalarOp::kCos: return {tile_cos, 0.5f};
    case ScalarOp::kTanh: return {tile_tanh, 0.6f};
    case ScalarOp::kErf: return {tile_erf, 0.6f};
    case ScalarOp::kLog1p: return {tile_log1p, 0.6f};
    case ScalarOp::kExpm1: return {tile_expm1, 0.4f};
    case ScalarOp::kNot: return {tile_not, 0.05f};
    case ScalarOp::kIsNan: return {tile_is_nan, 0.05f};
    case ScalarOp::kIsPositiveInf: return {tile_is_positive_inf, 0.05f};
    case ScalarOp::kIsNegativeInf: return {tile_is_negative_inf, 0.05f};
    case ScalarOp::kAdd: return {tile_add, 0.05f};
    case ScalarOp::kSub: return {tile_sub, 0.05f};
    case ScalarOp::kMul: return {tile_mul, 0.05f};
    case ScalarOp::kDiv: return {tile_div, 0.2f};
    case ScalarOp::kPow: return {tile_pow, 3.0f};
    case ScalarOp::kMin: return {tile_min, 0.05f};
    case ScalarOp::kMax: return {tile_max, 0.05f};
    case ScalarOp::kAnd: return {tile_and, 0.05f};
    case ScalarOp::kOr: return {tile_or, 0.05f};
    case ScalarOp::kXor: return {tile_xor, 0.05f};
    case ScalarOp::kEqual: return {tile_equal, 0.05f};
    case ScalarOp::kLess: return {tile_less, 0.05f};
    case ScalarOp::kLessEqual: return {tile_less_equal, 0.05f};
    case ScalarOp::kSelect: return {tile_select, 0.05f};
    default: return {};
  }
}

TileKernel find_fused(FusedOp op) {
  switch (op) {
    case FusedOp::kSigmoid: return {tile_sigmoid, 0.5f};
    case FusedOp::kSilu: return {tile_silu, 0.5f};
    case FusedOp::kRelu: return {tile_relu, 0.05f};
    case FusedOp::kClip: return {tile_clip, 0.05f};
    case FusedOp::kAddRelu: return {tile_add_relu, 0.05f};
  }
  return {};
}

void half_to_float(const uint16_t* in, float* out, int64_t n) {
  int64_t i = 0;
#if HWY_TARGET <= HWY_AVX2
  const F32 d;
  const hn::Rebind<hwy::float16_t, F32> dh;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(in + i))), d, out + i);
  }
#endif
  for (; i < n; ++i) out[i] = kiln::f16_to_float(in[i]);
}

void float_to_half(const float* in, uint16_t* out, int64_t n) {
  int64_t i = 0;
#if HWY_TARGET <= HWY_AVX2
  const F32 d;
  const hn::Rebind<hwy::float16_t, F32> dh;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::DemoteTo(dh, hn::LoadU(d, in + i)), dh, reinterpret_cast<hwy::float16_t*>(out + i));
  }
#endif
  for (; i < n; ++i) out[i] = kiln::f16_from_float(in[i]);
}

void brain_to_float(const uint16_t* in, float* out, int64_t n) {
  const F32 d;
  const hn::Rebind<uint16_t, F32> dh;
  const hn::RebindToUnsigned<F32> du;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(dh, in + i)))), d, out + i);
  }
  for (; i < n; ++i) out[i] = kiln::bf16_to_float(in[i]);
}

void float_to_brain(const float* in, uint16_t* out, int64_t n) {
  const F32 d;
  const hn::Rebind<uint16_t, F32> dh;
  const hn::RebindToUnsigned<F32> du;
  const I32 di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const VF v = hn::LoadU(d, in + i);
    if (!hn::AllTrue(d, hn::Eq(v, v))) {
      for (int64_t k = i; k < i + lanes; ++k) out[k] = kiln::bf16_from_float(in[k]);
      continue;
    }
    const auto bits = hn::BitCast(du, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fff))));
    hn::StoreU(hn::DemoteTo(dh, hn::BitCast(di, rounded)), dh, out + i);
  }
  for (; i < n; ++i) out[i] = kiln::bf16_from_float(in[i]);
}

template <class T> void small_to_float(const T* in, int64_t stride, float* out, int64_t n) {
  int64_t i = 0;
  if (stride == 1) {
    const F32 d;
    const hn::Rebind<T, F32> dt;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(I32(), hn::LoadU(dt, in + i))), d, out + i);
  }
  for (; i < n; ++i) out[i] = static_cast<float>(in[i * stride]);
}

template <class T> void float_to_small(const float* in, T* out, int64_t stride, int64_t n) {
  int64_t i = 0;
  if (stride == 1) {
    const F32 d;
    const hn::Rebind<T, F32> dt;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(hn::DemoteTo(dt, hn::ConvertTo(I32(), hn::LoadU(d, in + i))), dt, out + i);
  }
  for (; i < n; ++i) out[i * stride] = static_cast<T>(in[i]);
}

void load_small_any(DType dtype, const void* base, int64_t offset, int64_t stride, float* lanes, int64_t n) {
  switch (dtype) {
    case DType::kI8: return small_to_float(static_cast<const int8_t*>(base) + offset, stride, lanes, n);
    case DType::kU8: return small_to_float(static_cast<const uint8_t*>(base) + offset, stride, lanes, n);
    case DType::kI16: return small_to_float(static_cast<const int16_t*>(base) + offset, stride, lanes, n);
    default: return small_to_float(static_cast<const uint16_t*>(base) + offset, stride, lanes, n);
  }
}

void store_small_any(DType dtype, void* base, int64_t offset, int64_t stride, const float* lanes, int64_t n) {
  switch (dtype) {
    case DType::kI8: return float_to_small(lanes, static_cast<int8_t*>(base) + offset, stride, n);
    case DType::kU8: return float_to_small(lanes, static_cast<uint8_t*>(base) + offset, stride, n);
    case DType::kI16: return float_to_small(lanes, static_cast<int16_t*>(base) + offset, stride, n);
    default: return float_to_small(lanes, static_cast<uint16_t*>(base) + offset, stride, n);
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(find_f32);
HWY_EXPORT(find_fused);
HWY_EXPORT(half_to_float);
HWY_EXPORT(float_to_half);
HWY_EXPORT(brain_to_float);
HWY_EXPORT(float_to_brain);
HWY_EXPORT(load_small_any);
HWY_EXPORT(store_small_any);

TileKernel f32_tile(ScalarOp op, ScalarType type, ScalarType operand_type) {
  const bool logic = op == ScalarOp::kNot || op == ScalarOp::kAnd || op == ScalarOp::kOr || op == ScalarOp::kXor;
  const bool fits = logic                     ? type == ScalarType::kBool
                    : op == ScalarOp::kSelect ? lane_bytes(type) == 4
                                              : operand_type == ScalarType::kF32;
  return fits ? HWY_DYNAMIC_DISPATCH(find_f32)(op) : TileKernel{};
}
TileKernel fused_tile(FusedOp op) { return HWY_DYNAMIC_DISPATCH(find_fused)(op); }

void f16_to_f32(const uint16_t* in, float* out, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(half_to_float)(in, out, n); }
void f32_to_f16(const float* in, uint16_t* out, int64_t n) noexcept { HWY_DYNAMIC_DISPATCH(float_to_half)(in, out, n); }
void bf16_to_f32(const uint16_t* in, float* out, int64_t n) noexcept {
  HWY_DYNAMIC_DISPATCH(brain_to_float)(in, out, n);
}
void f32_to_bf16(const float* in, uint16_t* out, int64_t n) noexcept {
  HWY_DYNAMIC_DISPATCH(float_to_brain)(in, out, n);
}

void load_small(DType dtype, const void* base, int64_t offset, int64_t stride, float* lanes, int64_t n) {
  HWY_DYNAMIC_DISPATCH(load_small_any)(dtype, base, offset, stride, lanes, n);
}
void store_small(DType dtype, void* base, int64_t offset, int64_t stride, const float* lanes, int64_t n) {
  HWY_DYNAMIC_DISPATCH(store_small_any)(dtype, base, offset, stride, lanes, n);
}

}  // namespace kiln::cpu
#endif
