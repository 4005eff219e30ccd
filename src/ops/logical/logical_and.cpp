// And: logical and.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef logical_and =
    pointwise("And", {{"a", kBoolType}, {"b", kBoolType, "a"}})
        .scalar([](Expr a, Expr b) { return binary(ScalarOp::kAnd, a, b); })
        .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> { return min(v[0], v[1]); }));

}  // namespace kiln::ops
