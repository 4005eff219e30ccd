// Tactic: Gather.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic gather{
    .name = "gather",
    .version = 1,
    .accepts = [](const Problem& p) -> Refusal {
      if (p.op() != "Gather") return refuse(p.op() + " is not Gather");
      return needs_plain(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("gather", {{"axis", axis_of(p, "axis", 0, rank(p.input(0)))}}, {0, 1});
        },
};

}  // namespace kiln::cpu::tactics
