// The lists of rules, from the families' lists, and the passes made of them.
#include "passes/lists.h"

#include "passes/pass.h"

namespace kiln::passes {

std::vector<const Rule*> canonical_rules() {
  return {
#define KILN_RULE(word) &word,
#include "passes/canonicalize/list.inc"
#undef KILN_RULE
  };
}

std::vector<const Rule*> fusion_rules() {
  return {
#define KILN_RULE(word) &word,
#include "passes/fuse/list.inc"
#undef KILN_RULE
  };
}

Pass canonicalize() {
  return {"canonicalize", [](Graph& graph, PassContext& context) { apply_rules(graph, canonical_rules(), context); }};
}

Pass fuse(std::vector<const Rule*> rules) {
  return {"fuse", [rules = std::move(rules)](Graph& graph, PassContext& context) { apply_rules(graph, rules, context); }};
}

}  // namespace kiln::passes
