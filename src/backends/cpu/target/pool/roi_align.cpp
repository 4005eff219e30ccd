// Tactic: RoiAlign.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/region_parameters.h"

namespace kiln::cpu::tactics {

const Tactic roi_align{
    .name = "roi_align",
    .version = 1,
    .ops = {"RoiAlign"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("roi_align", roi_align_parameters(p), {0, 1, 2}); },
};

}  // namespace kiln::cpu::tactics
