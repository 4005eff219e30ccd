// Cast to the type that the value has.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule remove_cast{
    .name = "remove_cast",
    .pattern = one_of({"Cast", "CastLike"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      if (m.root().input(0)->dtype() != m.root().output()->dtype()) return std::nullopt;
      return forward(m, m.root().input(0));
    },
};

}  // namespace kiln::passes
