// BitwiseOr: or of each pair of bits.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef bitwise_or =
    pointwise("BitwiseOr", {{"a", kIntegerTypes}, {"b", kIntegerTypes, "a"}}).scalar([](Expr a, Expr b) {
      return binary(ScalarOp::kBitOr, a, b);
    });

}  // namespace kiln::ops
