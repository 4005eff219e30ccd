// Pow: x to the power y, in the type of x. Integers of different signedness meet as signed, integer and float as floats.
#include "ops/registry.h"

namespace kiln::ops {

namespace {
Expr power(Expr x, Expr y) {
  const ScalarType result = x.type();
  if (x.is_float()) return pow(x, y.convert(result));
  if (!y.is_float()) return pow(x, y.convert(result));
  return pow(x.convert(ScalarType::kF64), y.convert(ScalarType::kF64)).convert(result);
}
}  // namespace

const OpDef pow_op = pointwise("Pow", {{"x", kFloatTypes | kIndexTypes}, {"y", kNumericTypes}})
                         .scalar(power)
                         .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
