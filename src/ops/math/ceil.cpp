// Ceil: the smallest integer not below x.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef ceil_op = pointwise("Ceil", {"x", kFloatTypes}).scalar([](Expr x) { return ceil(x); });

}  // namespace kiln::ops
