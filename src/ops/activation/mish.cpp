// Mish: x * tanh(softplus(x)).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef mish = pointwise("Mish", {"x", kFloatTypes})
                       .scalar([](Expr x) { return x * tanh(max(x, 0) + log1p(exp(-abs(x)))); })
                       .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
