// RandomNormal: normally distributed numbers in a tensor of a given shape.
#include "ops/random/random.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef random_normal = op("RandomNormal")
                                .attr("mean", 0.0)
                                .attr("scale", 1.0)
                                .required_attr("shape", Ints{})
                                .attr("dtype", std::string(""))
                                .attr("key", int64_t{0})
                                .output("output", random_type())
                                .shape([](ShapeCall& c) { return OutputShape(to_shape(c.ints("shape"))); })
                                .nondeterministic()
                                .reference(fill_normal);

}  // namespace kiln::ops
