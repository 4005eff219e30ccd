// Asinh: inverse hyperbolic sine.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef asinh_op = pointwise("Asinh", {"input", kFloatTypes})
                           .scalar([](Expr x) { return unary(ScalarOp::kAsinh, x); })
                           .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
