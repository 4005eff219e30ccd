// Acosh: inverse hyperbolic cosine; NaN below 1.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef acosh_op = pointwise("Acosh", {"input", kFloatTypes})
                           .scalar([](Expr x) { return unary(ScalarOp::kAcosh, x); })
                           .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
