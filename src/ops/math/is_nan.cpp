// IsNaN: whether x is not a number.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef is_nan = pointwise("IsNaN", {"x", kFloatTypes | kFloat8Types})
                         .scalar([](Expr x) { return unary(ScalarOp::kIsNan, x); })
                         .output_type(fixed_type(DType::kBool));

}  // namespace kiln::ops
