// RandomNormalLike: normally distributed numbers in a tensor as large as the input.
#include "ops/random/random.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef random_normal_like = op("RandomNormalLike")
                                     .input("input", kNumericTypes | kBoolType)
                                     .attr("mean", 0.0)
                                     .attr("scale", 1.0)
                                     .attr("dtype", std::string(""))
                                     .attr("key", int64_t{0})
                                     .output("output", random_type())
                                     .shape([](ShapeCall& c) { return OutputShape(c.dims(0)); })
                                     .nondeterministic()
                                     .reference(fill_normal);

}  // namespace kiln::ops
