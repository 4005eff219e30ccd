// RandomUniformLike: evenly distributed numbers of [low, high) in a tensor as large as the input.
#include "ops/random/random.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef random_uniform_like = op("RandomUniformLike")
                                      .input("input", kNumericTypes | kBoolType)
                                      .attr("high", 1.0)
                                      .attr("low", 0.0)
                                      .attr("dtype", std::string(""))
                                      .attr("key", int64_t{0})
                                      .output("output", random_type())
                                      .shape([](ShapeCall& c) { return OutputShape(c.dims(0)); })
                                      .nondeterministic()
                                      .reference(fill_uniform);

}  // namespace kiln::ops
