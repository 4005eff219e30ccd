// Neg: -x.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef neg =
    pointwise("Neg", {"x", kFloatTypes | kSignedTypes})
        .scalar([](Expr x) { return -x; })
        .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> { return Dim(0) - v[0]; }));

}  // namespace kiln::ops
