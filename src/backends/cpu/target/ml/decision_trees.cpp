// Tactic: ensembles of decision trees.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "tensor/trees.h"

namespace kiln::cpu::tactics {

const Tactic decision_trees{
    .name = "decision_trees",
    .version = 1,
    .ops = {"DecisionTrees"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      if (type != DType::kF32 && type != DType::kF64) return refuse("it computes in " + std::string(name(type)));
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("decision_trees", lists_of(trees_of(p.attributes())), {0}); },
};

}  // namespace kiln::cpu::tactics
