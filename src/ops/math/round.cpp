// Round: the nearest integer, ties to even.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef round_op = pointwise("Round", {"x", kFloatTypes}).scalar([](Expr x) { return round_half_even(x); });

}  // namespace kiln::ops
