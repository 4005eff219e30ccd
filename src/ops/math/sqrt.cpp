// Sqrt: square root; NaN below zero.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef sqrt_op = pointwise("Sqrt", {"x", kFloatTypes}).scalar([](Expr x) { return sqrt(x); });

}  // namespace kiln::ops
