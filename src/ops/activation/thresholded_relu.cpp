// ThresholdedRelu: x above alpha, else 0.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef thresholded_relu = pointwise("ThresholdedRelu", {"x", kFloatTypes})
                                   .attr("alpha", 1.0)
                                   .scalar([](Expr x, const Attributes& attributes) {
                                     return select(x > attributes.real("alpha"), x, x.constant(0));
                                   });

}  // namespace kiln::ops
