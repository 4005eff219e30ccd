// GreaterOrEqual: a >= b; false when one is NaN.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef greater_or_equal =
    pointwise("GreaterOrEqual", {{"a", kNumericTypes}, {"b", kNumericTypes, "a"}})
        .scalar([](Expr a, Expr b) { return a >= b; })
        .output_type(fixed_type(DType::kBool))
        .elements(elementwise([](std::span<const Dim> v) { return inverted(is_less(v[0], v[1])); }));

}  // namespace kiln::ops
