// Or: logical or.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef logical_or =
    pointwise("Or", {{"a", kBoolType}, {"b", kBoolType, "a"}})
        .scalar([](Expr a, Expr b) { return binary(ScalarOp::kOr, a, b); })
        .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> { return max(v[0], v[1]); }));

}  // namespace kiln::ops
