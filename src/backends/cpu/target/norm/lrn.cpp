// Tactic: LRN.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/region_parameters.h"

namespace kiln::cpu::tactics {

const Tactic lrn{
    .name = "lrn",
    .version = 1,
    .ops = {"LRN"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("lrn", lrn_parameters(p), {0}); },
};

}  // namespace kiln::cpu::tactics
