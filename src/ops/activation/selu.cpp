// Selu: gamma * Elu(x, alpha).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef selu = pointwise("Selu", {"x", kFloatTypes})
                       .attr("alpha", 1.67326319217681884765625)
                       .attr("gamma", 1.05070102214813232421875)
                       .scalar([](Expr x, const Attributes& attributes) {
                         return select(x > 0, x, expm1(x) * attributes.real("alpha")) * attributes.real("gamma");
                       })
                       .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
