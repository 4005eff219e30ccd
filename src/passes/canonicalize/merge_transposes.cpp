// Two transpositions in a row are one.
#include "base/index.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule merge_transposes{
    .name = "merge_transposes",
    .pattern = node("Transpose", {node("Transpose", {any("x")}).as("inner")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const auto outer = permutation(m.root()), inner = permutation(m["inner"]);
      if (!outer || !inner) return decline("the rank is not known");
      Ints perm;
      for (int64_t axis : *outer) perm.push_back(nth(*inner, axis));
      Patch p(m);
      p.replace(m.root().output(), p.add("Transpose", {m.value("x")}, {{"perm", perm}}));
      return p;
    },
};

}  // namespace kiln::passes
