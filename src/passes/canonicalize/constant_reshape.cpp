// Reshapes, Squeeze, Unsqueeze and Flatten whose result can be told by constants become Reshape with a constant shape.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule constant_reshape{
    .name = "constant_reshape",
    .pattern = one_of({"Flatten", "Reshape", "Squeeze", "Unsqueeze"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      if (n.is("Reshape") && n.input(1)->constant()) return std::nullopt;
      if (!is_told(n)) return decline("only running tells the shape");
      const Value *x = n.input(0), *y = n.output();
      if (!x->is_tensor() || !x->ranked() || !y->ranked()) return decline("the rank is not known");
      if (y->elements()) return decline("it is arithmetic on shapes");
      const auto target = reshape_target(x->shape(), y->shape());
      if (!target) return decline("the shape is not known when building");
      Patch p(m);
      p.replace(n.output(), p.add("Reshape", {n.input(0), p.constant(*target)}));
      return p;
    },
};

}  // namespace kiln::passes
