// Tactic: GroupNormalization and InstanceNormalization.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cpu::tactics {

const Tactic group_norm{
    .name = "group_norm",
    .version = 1,
    .ops = {"GroupNormalization", "InstanceNormalization"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("group_norm", group_norm_parameters(p), {0, 1, 2}); },
};

}  // namespace kiln::cpu::tactics
