// Not: logical not.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef logical_not =
    pointwise("Not", {"x", kBoolType})
        .scalar([](Expr x) { return unary(ScalarOp::kNot, x); })
        .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> { return 1 - v[0]; }));

}  // namespace kiln::ops
