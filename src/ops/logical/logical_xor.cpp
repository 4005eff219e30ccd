// Xor: whether exactly one is true.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef logical_xor =
    pointwise("Xor", {{"a", kBoolType}, {"b", kBoolType, "a"}})
        .scalar([](Expr a, Expr b) { return binary(ScalarOp::kXor, a, b); })
        .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> { return mod(v[0] + v[1], 2); }));

}  // namespace kiln::ops
