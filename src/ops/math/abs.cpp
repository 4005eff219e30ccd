// Abs: |x|.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef abs_op =
    pointwise("Abs", {"x", kNumericTypes})
        .scalar([](Expr x) { return abs(x); })
        .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> { return max(v[0], Dim(0) - v[0]); }));

}  // namespace kiln::ops
