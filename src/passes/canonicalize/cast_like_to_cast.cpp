// CastLike is a Cast to the type of its second operand.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {

const Rule cast_like_to_cast{
    .name = "cast_like_to_cast",
    .pattern = node("CastLike", {any("x"), any("like")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& n = m.root();
      Patch p(m);
      Attributes to{{"to", std::string(name(n.output()->dtype()))}};
      for (const char* kept : {"saturate", "round_mode"})
        if (const Attribute* it = n.attributes.find(kept)) to.set(kept, *it);
      p.replace(n.output(), p.add("Cast", {m.value("x")}, std::move(to)));
      return p;
    },
};

}  // namespace kiln::passes
