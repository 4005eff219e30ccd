// Sigmoid: 1 / (1 + exp(-x)).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef sigmoid_op =
    pointwise("Sigmoid", {"x", kFloatTypes}).scalar([](Expr x) { return sigmoid(x); }).accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
