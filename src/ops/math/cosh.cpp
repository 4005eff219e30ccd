// Cosh: hyperbolic cosine.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef cosh_op = pointwise("Cosh", {"input", kFloatTypes})
                          .scalar([](Expr x) { return unary(ScalarOp::kCosh, x); })
                          .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
