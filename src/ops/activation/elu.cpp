// Elu: x, or alpha * (exp(x) - 1) below zero.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef elu = pointwise("Elu", {"x", kFloatTypes})
                      .attr("alpha", 1.0)
                      .scalar([](Expr x, const Attributes& attributes) {
                        return select(x > 0, x, expm1(x) * attributes.real("alpha"));
                      })
                      .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
