// Atanh: inverse hyperbolic tangent; infinite at -1 and 1.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef atanh_op = pointwise("Atanh", {"input", kFloatTypes})
                           .scalar([](Expr x) { return unary(ScalarOp::kAtanh, x); })
                           .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
