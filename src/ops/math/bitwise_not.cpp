// BitwiseNot: every bit inverted.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef bitwise_not =
    pointwise("BitwiseNot", {"x", kIntegerTypes}).scalar([](Expr x) { return unary(ScalarOp::kBitNot, x); });

}  // namespace kiln::ops
