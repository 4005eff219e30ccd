// BitwiseXor: xor of each pair of bits.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef bitwise_xor =
    pointwise("BitwiseXor", {{"a", kIntegerTypes}, {"b", kIntegerTypes, "a"}}).scalar([](Expr a, Expr b) {
      return binary(ScalarOp::kBitXor, a, b);
    });

}  // namespace kiln::ops
