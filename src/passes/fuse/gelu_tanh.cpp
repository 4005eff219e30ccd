// GELU spelled out with tanh: x * 0.5 * (1 + tanh(0.7979 * (x + 0.044715 * x ** 3))), in any order.
#include "passes/product_terms.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule gelu_tanh{
    .name = "gelu_tanh",
    .pattern = node("Mul"),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const ProductTerms outer = factors_of(m.root());
      if (!is_about(outer.number, 0.5)) return std::nullopt;
      const auto gate = half_gate(outer, "Tanh");
      if (!gate) return std::nullopt;
      const ProductTerms inner = factors_of(gate->argument);
      if (!is_about(inner.number, 0.79788456080286536) || inner.values.size() != 1)
        return decline("the argument of tanh is another");
      Node* sum = inner.values[0]->producer();
      if (!sum || !sum->is("Add") || !sum->post.empty()) return decline("the argument of tanh is another");
      for (int i = 0; i < 2; ++i) {
        const ProductTerms cube = factors_of(sum->input(1 - i));
        if (sum->input(i) != gate->x || !is_about(cube.number, 0.044715) || !cube.is_power(gate->x, 3)) continue;
        Patch p(m);
        absorb_all(p, {{sum}, gate->nodes, outer.nodes, inner.nodes, cube.nodes});
        p.replace(m.root().output(), p.add("Gelu", {gate->x}, {{"approximate", std::string("tanh")}}));
        return p;
      }
      return decline("the argument of tanh is another");
    },
};

}  // namespace kiln::passes
