// Reciprocal: 1 / x.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef reciprocal = pointwise("Reciprocal", {"x", kFloatTypes}).scalar([](Expr x) { return 1.0 / x; });

}  // namespace kiln::ops
