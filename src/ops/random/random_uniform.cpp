// RandomUniform: evenly distributed numbers of [low, high) in a tensor of a given shape.
#include "ops/random/random.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef random_uniform = op("RandomUniform")
                                 .attr("high", 1.0)
                                 .attr("low", 0.0)
                                 .required_attr("shape", Ints{})
                                 .attr("dtype", std::string(""))
                                 .attr("key", int64_t{0})
                                 .output("output", random_type())
                                 .shape([](ShapeCall& c) { return OutputShape(to_shape(c.ints("shape"))); })
                                 .nondeterministic()
                                 .reference(fill_uniform);

}  // namespace kiln::ops
