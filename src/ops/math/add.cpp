// Add: a + b.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef add = pointwise("Add", {{"a", kNumericTypes}, {"b", kNumericTypes, "a"}}).scalar([](Expr a, Expr b) { return a + b; });

}  // namespace kiln::ops
