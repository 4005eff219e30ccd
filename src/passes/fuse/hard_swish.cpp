// x * HardSigmoid(x) with slope 1/6 is HardSwish.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule hard_swish{
    .name = "hard_swish",
    .pattern = node("Mul", {any("x"), once(node("HardSigmoid", {any("x")}))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& gate = m["HardSigmoid"];
      if (!is_about(real(gate, "alpha"), 1.0 / 6) || real(gate, "beta") != 0.5)
        return decline("the slope is not 1/6 around 1/2");
      Patch p(m);
      p.replace(m.root().output(), p.add("HardSwish", {m.value("x")}));
      return p;
    },
};

}  // namespace kiln::passes
