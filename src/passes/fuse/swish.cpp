// x * sigmoid(x), also with a factor inside, is Swish.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule swish{
    .name = "swish",
    .pattern = node("Mul", {any("x"), once(node("Sigmoid", {any("gate")}))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Value *x = m.value("x"), *gate = m.value("gate");
      double alpha = 1;
      Node* factor = nullptr;
      if (gate != x) {
        factor = gate->producer();
        if (!factor || !factor->is("Mul") || !factor->post.empty()) return std::nullopt;
        const int i = factor->input(0) == x ? 1 : 0;
        const auto number = scalar_for(factor->input(i), x->rank());
        if (factor->input(1 - i) != x || !number) return decline("the gate is of another value");
        alpha = *number;
      }
      Patch p(m);
      if (factor) p.absorb(*factor);
      p.replace(m.root().output(), p.add("Swish", {x}, alpha == 1 ? Attributes() : Attributes{{"alpha", alpha}}));
      return p;
    },
};

}  // namespace kiln::passes
