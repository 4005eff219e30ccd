// Asin: inverse sine; NaN outside [-1, 1].
#include "ops/registry.h"

namespace kiln::ops {

const OpDef asin_op = pointwise("Asin", {"input", kFloatTypes})
                          .scalar([](Expr x) { return unary(ScalarOp::kAsin, x); })
                          .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
