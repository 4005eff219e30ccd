// Tactic: Gather.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cpu::tactics {

const Tactic gather{
    .name = "gather",
    .version = 1,
    .ops = {"Gather"},
    .accepts = [](const Problem& p) -> Refusal { return needs_plain(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("gather", axis_parameters(p, 0), {0, 1}); },
};

}  // namespace kiln::cpu::tactics
