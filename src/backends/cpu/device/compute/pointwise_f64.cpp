// Vector loops of pointwise tiles on f64.
#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/pointwise_tiles.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/pointwise_f64.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/pointwise_loops-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

HWY_INLINE VD log(F64 d, VD x) {
  const VD infinity = hn::Set(d, std::numeric_limits<double>::infinity());
  VD y = hn::IfThenElse(hn::Lt(x, infinity), hn::Log(d, x), x);  // +infinity and NaN
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, std::numeric_limits<double>::quiet_NaN()), y);
}

KILN_UNARY(double, tile_neg_f64, hn::Neg(x))
KILN_UNARY(double, tile_abs_f64, hn::Abs(x))
KILN_UNARY(double, tile_floor_f64, hn::Floor(x))
KILN_UNARY(double, tile_ceil_f64, hn::Ceil(x))
KILN_UNARY(double, tile_round_f64, hn::Round(x))
KILN_UNARY(double, tile_trunc_f64, hn::Trunc(x))
KILN_UNARY(double, tile_sqrt_f64, hn::Sqrt(x))
KILN_UNARY(double, tile_exp_f64, exp(d, x))
KILN_UNARY(double, tile_log_f64, log(d, x))
KILN_BINARY(double, tile_add_f64, hn::Add(x, y))
KILN_BINARY(double, tile_sub_f64, hn::Sub(x, y))
KILN_BINARY(double, tile_mul_f64, hn::Mul(x, y))
KILN_BINARY(double, tile_div_f64, hn::Div(x, y))
KILN_BINARY(double, tile_min_f64, nan_min(x, y))
KILN_BINARY(double, tile_max_f64, nan_max(x, y))

TileKernel find_f64(ScalarOp op) {
  switch (op) {
    case ScalarOp::kNeg: return {tile_neg_f64, 0.1f};
    case ScalarOp::kAbs: return {tile_abs_f64, 0.1f};
    case ScalarOp::kFloor: return {tile_floor_f64, 0.1f};
    case ScalarOp::kCeil: return {tile_ceil_f64, 0.1f};
    case ScalarOp::kRound: return {tile_round_f64, 0.1f};
    case ScalarOp::kTrunc: return {tile_trunc_f64, 0.1f};
    case ScalarOp::kSqrt: return {tile_sqrt_f64, 0.8f};
    case ScalarOp::kExp: return {tile_exp_f64, 1.0f};
    case ScalarOp::kLog: return {tile_log_f64, 1.5f};
    case ScalarOp::kAdd: return {tile_add_f64, 0.1f};
    case ScalarOp::kSub: return {tile_sub_f64, 0.1f};
    case ScalarOp::kMul: return {tile_mul_f64, 0.1f};
    case ScalarOp::kDiv: return {tile_div_f64, 0.6f};
    case ScalarOp::kMin: return {tile_min_f64, 0.1f};
    case ScalarOp::kMax: return {tile_max_f64, 0.1f};
    default: return {};
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(find_f64);

TileKernel f64_tile(ScalarOp op, ScalarType type, ScalarType operand_type) {
  return type == ScalarType::kF64 && operand_type == ScalarType::kF64 ? HWY_DYNAMIC_DISPATCH(find_f64)(op)
                                                                      : TileKernel{};
}

}  // namespace kiln::cpu
#endif
