// Exp: e to the power x.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef exp_op =
    pointwise("Exp", {"input", kFloatTypes}).scalar([](Expr x) { return exp(x); }).accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
