// Celu: max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef celu = pointwise("Celu", {"x", kFloatTypes})
                       .attr("alpha", 1.0)
                       .scalar([](Expr x, const Attributes& attributes) {
                         return max(x, 0) + min(expm1(x / attributes.real("alpha")) * attributes.real("alpha"), 0);
                       })
                       .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
