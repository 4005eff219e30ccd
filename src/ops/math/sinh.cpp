// Sinh: hyperbolic sine.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef sinh_op = pointwise("Sinh", {"input", kFloatTypes})
                          .scalar([](Expr x) { return unary(ScalarOp::kSinh, x); })
                          .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
