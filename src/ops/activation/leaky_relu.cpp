// LeakyRelu: x, or alpha * x below zero.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef leaky_relu =
    pointwise("LeakyRelu", {"x", kFloatTypes}).attr("alpha", 0.01).scalar([](Expr x, const Attributes& attributes) {
      return select(x < 0, x * attributes.real("alpha"), x);
    });

}  // namespace kiln::ops
