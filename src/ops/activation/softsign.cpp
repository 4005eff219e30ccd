// Softsign: x / (1 + |x|).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef softsign = pointwise("Softsign", {"input", kFloatTypes})
                           .scalar([](Expr x) { return x / (abs(x) + 1); })
                           .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
