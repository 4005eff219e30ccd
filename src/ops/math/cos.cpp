// Cos: cosine.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef cos_op =
    pointwise("Cos", {"input", kFloatTypes}).scalar([](Expr x) { return cos(x); }).accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
