// Softplus: log(exp(x) + 1), without overflow.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef softplus = pointwise("Softplus", {"x", kFloatTypes})
                           .scalar([](Expr x) { return max(x, 0) + log1p(exp(-abs(x))); })
                           .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
