// Atan: inverse tangent.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef atan_op = pointwise("Atan", {"input", kFloatTypes})
                          .scalar([](Expr x) { return unary(ScalarOp::kAtan, x); })
                          .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
