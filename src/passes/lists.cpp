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
  std::map<int, std::vector<const Rule*>> stages;
  for (const Rule* rule : rules) stages[rule->stage].push_back(rule);
  return {"fuse", [stages = std::move(stages)](Graph& graph, PassContext& context) {
            for (const auto& [stage, list] : stages) apply_rules(graph, list, context);
          }};
}

}  // namespace kiln::passes
