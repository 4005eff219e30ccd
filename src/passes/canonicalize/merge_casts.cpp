// Cast of a cast to a wider type, which loses nothing: one cast, or none.
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

// Every value of `from` has an equal one in `to`.
bool widens(DType from, DType to) {
  const bool half = from == DType::kF16 || from == DType::kBF16;
  return (half && (to == DType::kF32 || to == DType::kF64)) || (from == DType::kF32 && to == DType::kF64);
}

}  // namespace

const Rule merge_casts{
    .name = "merge_casts",
    .pattern = node("Cast", {node("Cast")}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& first = *m.root().input(0)->producer();
      Value* from = first.input(0);
      if (!first.post.empty() || !m.root().post.empty() || !widens(from->dtype(), first.output()->dtype()))
        return std::nullopt;
      const DType to = m.root().output()->dtype();
      if (from->dtype() == to) return forward(m, from);
      Patch p(m);
      p.replace(m.root().output(), p.add("Cast", {from}, {{"to", std::string(name(to))}}));
      return p;
    },
};

}  // namespace kiln::passes
