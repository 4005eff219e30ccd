// StringConstant: strings that the model holds. Engines keep constants as bytes, and these as a parameter of a step.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef string_constant =
    op("StringConstant")
        .required_attr("value", Tensor())
        .output("output", fixed_type(DType::kString))
        .shape([](ShapeCall& c) {
          const Dims& dims = c.attributes().tensor("value").dims();
          return OutputShape(Shape(dims.begin(), dims.end()));
        })
        .reference([](RefCall& c) { c.set_output(0, c.shapes().attributes().tensor("value")); });

}  // namespace kiln::ops
