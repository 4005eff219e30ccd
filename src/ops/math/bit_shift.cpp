// BitShift: x shifted by y bits; `direction` is LEFT or RIGHT.
#include "base/error.h"
#include "ops/registry.h"

namespace kiln::ops {

namespace {
Expr shifted(Expr x, Expr count, const Attributes& attributes) {
  const std::string& direction = attributes.text("direction");
  if (direction == "LEFT") return binary(ScalarOp::kShiftLeft, x, count);
  if (direction == "RIGHT") return binary(ScalarOp::kShiftRight, x, count);
  throw Error(Code::kInvalidArgument, "BitShift has the direction '" + direction + "'").remedy("use LEFT or RIGHT");
}
}  // namespace

const OpDef bit_shift = pointwise("BitShift", {{"x", kUnsignedTypes}, {"y", kUnsignedTypes, "x"}})
                            .required_attr("direction", std::string())
                            .scalar(shifted);

}  // namespace kiln::ops
