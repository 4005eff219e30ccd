// Tan: tangent.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef tan_op =
    pointwise("Tan", {"input", kFloatTypes}).scalar([](Expr x) { return tan(x); }).accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
