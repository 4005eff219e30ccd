// GELU spelled out with the error function: x * 0.5 * (1 + erf(x / sqrt(2))), in any order.
#include "passes/product_terms.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule gelu_erf{
    .name = "gelu_erf",
    .pattern = node("Mul"),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const ProductTerms outer = factors_of(m.root());
      if (!is_about(outer.number, 0.5)) return std::nullopt;
      const auto gate = half_gate(outer, "Erf");
      if (!gate) return std::nullopt;
      const ProductTerms inner = factors_of(gate->argument);
      if (!inner.is(0.70710678118654752, gate->x)) return decline("the argument of erf is not x / sqrt(2)");
      Patch p(m);
      absorb_all(p, {gate->nodes, outer.nodes, inner.nodes});
      p.replace(m.root().output(), p.add("Gelu", {gate->x}));
      return p;
    },
};

}  // namespace kiln::passes
