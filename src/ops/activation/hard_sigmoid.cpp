// HardSigmoid: clamp(alpha * x + beta, 0, 1).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef hard_sigmoid = pointwise("HardSigmoid", {"x", kFloatTypes})
                               .attr("alpha", 0.2)
                               .attr("beta", 0.5)
                               .scalar([](Expr x, const Attributes& attributes) {
                                 return clamp(x * attributes.real("alpha") + attributes.real("beta"), 0, 1);
                               })
                               .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
