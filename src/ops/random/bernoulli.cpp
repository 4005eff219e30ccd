// Bernoulli: ones with the probabilities that the input holds, else zeros.
#include "ops/random/random.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef bernoulli =
    op("Bernoulli")
        .input("input", kFloatTypes)
        .attr("dtype", std::string(""))
        .attr("key", int64_t{0})
        .output("output", random_type())
        .shape([](ShapeCall& c) { return OutputShape(c.dims(0)); })
        .nondeterministic()
        .reference([](RefCall& c) {
          const RandomElements random(c);
          fill_random(c, [&](int64_t i) { return random.uniform(i) < c.input(0).at(i) ? 1.0 : 0.0; });
        });

}  // namespace kiln::ops
