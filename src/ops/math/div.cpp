// Div: a / b; integers truncate, and give zero when divided by zero.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef div_op = pointwise("Div", {{"a", kNumericTypes}, {"b", kNumericTypes, "a"}})
                         .scalar([](Expr a, Expr b) { return a / b; })
                         .elements(elementwise([](std::span<const Dim> v) { return truncated_quotient(v[0], v[1]); }));

}  // namespace kiln::ops
