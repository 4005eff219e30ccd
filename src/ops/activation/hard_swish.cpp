// HardSwish: x * clamp(x / 6 + 1/2, 0, 1).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef hard_swish = pointwise("HardSwish", {"x", kFloatTypes})
                             .scalar([](Expr x) { return x * clamp(x / 6 + 0.5, 0, 1); })
                             .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
