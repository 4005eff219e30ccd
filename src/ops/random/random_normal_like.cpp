// RandomNormalLike: normally distributed numbers in a tensor as large as the input.
#include "ops/random/random.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef random_normal_like =
    op("RandomNormalLike")
        .input("input", kNumericTypes | kBoolType)
        .attr("mean", 0.0)
        .attr("scale", 1.0)
        .attr("dtype", std::string(""))
        .attr("key", int64_t{0})
        .output("output", random_type())
        .shape([](ShapeCall& c) { return OutputShape(c.dims(0)); })
        .nondeterministic()
        .reference([](RefCall& c) {
          const RandomElements random(c);
          fill_random(c, [&](int64_t i) { return c.real("mean") + c.real("scale") * random.normal(i); });
        });

}  // namespace kiln::ops
