// IsInf: whether x is infinite; each sign can be left out.
#include "ops/registry.h"

namespace kiln::ops {

namespace {
Expr infinite(Expr x, const Attributes& attributes) {
  const bool positive = attributes.integer("detect_positive") != 0,
             negative = attributes.integer("detect_negative") != 0;
  const Expr is_positive = unary(ScalarOp::kIsPositiveInf, x), is_negative = unary(ScalarOp::kIsNegativeInf, x);
  if (positive && negative) return binary(ScalarOp::kOr, is_positive, is_negative);
  if (positive) return is_positive;
  return negative ? is_negative : is_positive.constant(0);
}
}  // namespace

const OpDef is_inf = pointwise("IsInf", {"x", kFloatTypes | kFloat8Types})
                         .attr("detect_negative", int64_t{1})
                         .attr("detect_positive", int64_t{1})
                         .scalar(infinite)
                         .output_type(fixed_type(DType::kBool));

}  // namespace kiln::ops
