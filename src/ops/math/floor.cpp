// Floor: the largest integer not above x.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef floor_op = pointwise("Floor", {"x", kFloatTypes}).scalar([](Expr x) { return floor(x); });

}  // namespace kiln::ops
