// Gelu: x * Phi(x), by the error function or its approximation by tanh.
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "ops/registry.h"

namespace kiln::ops {

namespace {
Expr gelu_formula(Expr x, const Attributes& attributes) {
  const std::string& approximate = attributes.text("approximate");
  if (approximate == "none") return 0.5 * x * (1.0 + erf(x * (1 / std::numbers::sqrt2)));
  if (approximate != "tanh")
    throw Error(Code::kInvalidArgument, "Gelu has the approximation '" + approximate + "'").remedy("use none or tanh");
  const double root = std::sqrt(2 / std::numbers::pi);
  return 0.5 * x * (1.0 + tanh(root * (x + 0.044715 * (x * x * x))));
}
}  // namespace

const OpDef gelu = pointwise("Gelu", {"x", kFloatTypes})
                       .attr("approximate", std::string("none"))
                       .scalar(gelu_formula)
                       .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
