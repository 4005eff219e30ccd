// Tactic: GroupNormalization and InstanceNormalization.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic group_norm{
    .name = "group_norm",
    .version = 1,
    .ops = {"GroupNormalization", "InstanceNormalization"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const int64_t groups = p.op() == "InstanceNormalization" ? 0 : p.attributes().integer("num_groups");
          return emit_kernel("group_norm", {{"groups", groups}, {"epsilon", p.attributes().real("epsilon", 1e-5)}},
                             {0, 1, 2});
        },
};

}  // namespace kiln::cpu::tactics
