// Erf: the error function.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef erf_op =
    pointwise("Erf", {"input", kFloatTypes}).scalar([](Expr x) { return erf(x); }).accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
