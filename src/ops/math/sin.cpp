// Sin: sine.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef sin_op =
    pointwise("Sin", {"input", kFloatTypes}).scalar([](Expr x) { return sin(x); }).accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
