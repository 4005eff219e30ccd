// Swish: x * sigmoid(alpha * x).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef swish =
    pointwise("Swish", {"x", kFloatTypes})
        .attr("alpha", 1.0)
        .scalar([](Expr x, const Attributes& attributes) { return x * sigmoid(x * attributes.real("alpha")); })
        .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
