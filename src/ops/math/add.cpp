// Add: a + b.
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {

const OpDef add = pointwise("Add", {{"a", kNumericTypes}, {"b", kNumericTypes, "a"}})
                      .scalar([](Expr a, Expr b) { return a + b; })
                      .elements(elementwise([](std::span<const Dim> v) -> std::optional<Dim> { return v[0] + v[1]; }));

}  // namespace kiln::ops
