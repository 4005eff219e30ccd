// Two reshapes in a row are one.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule merge_reshapes{
    .name = "merge_reshapes",
    .pattern = node("Reshape", {node("Reshape", {any("x")}).as("inner")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Value* x = m.value("x");
      if (!is_told(m["inner"]) || !is_told(m.root())) return decline("only running tells a shape");
      if (!x->ranked() || !m.root().output()->ranked()) return decline("the rank is not known");
      const auto target = reshape_target(x->shape(), m.root().output()->shape());
      if (!target) return decline("the shape is not known when building");
      Patch p(m);
      p.replace(m.root().output(), p.add("Reshape", {x, p.constant(*target)}));
      return p;
    },
};

}  // namespace kiln::passes
