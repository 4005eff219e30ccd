// Tactic: NonMaxSuppression.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "device/region_parameters.h"

namespace kiln::cpu::tactics {

const Tactic non_max_suppression{
    .name = "non_max_suppression",
    .version = 1,
    .ops = {"NonMaxSuppression"},
    .sizes_results = true,
    .accepts = [](const Problem& p) -> Refusal { return needs_plain(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("non_max_suppression", NmsParameters{p.attributes().integer("center_point_box", 0) != 0},
                             all_inputs(p, 5));
        },
};

}  // namespace kiln::cpu::tactics
