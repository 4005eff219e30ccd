// Relu: max(x, 0).
#include "ops/registry.h"

namespace kiln::ops {

const OpDef relu = pointwise("Relu", {"x", kFloatTypes | kSignedTypes}).scalar([](Expr x) { return max(x, 0); });

}  // namespace kiln::ops
