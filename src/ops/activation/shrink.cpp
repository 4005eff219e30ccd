// Shrink: x + bias below -lambd, x - bias above lambd, else 0. Integers are computed as floats and truncated.
#include "ops/registry.h"

namespace kiln::ops {

namespace {
Expr shrink_formula(Expr x, const Attributes& attributes) {
  const double bias = attributes.real("bias"), lambd = attributes.real("lambd");
  const Expr v = x.is_float() ? x : x.convert(ScalarType::kF64);
  return select(v < -lambd, v + bias, select(v > lambd, v - bias, v.constant(0))).convert(x.type());
}
}  // namespace

const OpDef shrink =
    pointwise("Shrink", {"input", kNumericTypes}).attr("bias", 0.0).attr("lambd", 0.5).scalar(shrink_formula);

}  // namespace kiln::ops
