// Tactic: ensembles of decision trees.
#include "backends/cuda/device/kernels/decision_trees.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "target/epilogue.h"

namespace kiln::cuda::tactics {

const Tactic decision_trees{
    .name = "decision_trees",
    .version = 1,
    .ops = {"DecisionTrees"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const Trees trees = trees_of(p.attributes());
      if (trees.roots.size() > 0 && trees.leaf_ends.empty()) return refuse("the trees have no leaves");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Trees trees = trees_of(p.attributes());
          kernels::PackedTrees packed = kernels::pack_trees(trees);
          Emitted e = emit_kernel("decision_trees", lists_of(trees), {0});
          for (Tensor* t : {&packed.nodes, &packed.roots, &packed.leaf_ends, &packed.votes})
            e.inputs.push_back(add_constant(e, std::move(*t)));
          e.inputs.push_back(packed.base.valid() ? add_constant(e, std::move(packed.base)) : Emitted::kAbsent);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
