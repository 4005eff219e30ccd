// Log: natural logarithm.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef log_op =
    pointwise("Log", {"input", kFloatTypes}).scalar([](Expr x) { return log(x); }).accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
