// Sign: -1, 0 or 1; NaN stays NaN.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef sign_op = pointwise("Sign", {"input", kNumericTypes}).scalar([](Expr x) { return sign(x); });

}  // namespace kiln::ops
