// Abs: |x|.
#include "ops/elements.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef abs_op =
    pointwise("Abs", {"x", kNumericTypes})
        .scalar([](Expr x) { return abs(x); })
        .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> { return max(v[0], Dim(0) - v[0]); }));

}  // namespace kiln::ops
