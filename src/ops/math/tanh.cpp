// Tanh: hyperbolic tangent.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef tanh_op =
    pointwise("Tanh", {"input", kFloatTypes}).scalar([](Expr x) { return tanh(x); }).accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
