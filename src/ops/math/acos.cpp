// Acos: inverse cosine; NaN outside [-1, 1].
#include "ops/registry.h"

namespace kiln::ops {

const OpDef acos_op = pointwise("Acos", {"input", kFloatTypes})
                          .scalar([](Expr x) { return unary(ScalarOp::kAcos, x); })
                          .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
