// BitwiseAnd: and of each pair of bits.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef bitwise_and =
    pointwise("BitwiseAnd", {{"a", kIntegerTypes}, {"b", kIntegerTypes, "a"}}).scalar([](Expr a, Expr b) {
      return binary(ScalarOp::kBitAnd, a, b);
    });

}  // namespace kiln::ops
