// PRelu: x, or slope * x below zero.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef prelu = pointwise("PRelu", {{"x", kFloatTypes | kIndexTypes | TypeSet{DType::kU32, DType::kU64}},
                                        {"slope", kFloatTypes | kIndexTypes | TypeSet{DType::kU32, DType::kU64}, "x"}})
                        .scalar([](Expr x, Expr slope) { return select(x < 0, x * slope, x); });

}  // namespace kiln::ops
