// Tactic: LayerNormalization and RMSNormalization over rows.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cpu::tactics {

const Tactic row_norm{
    .name = "row_norm",
    .version = 1,
    .ops = {"LayerNormalization", "RMSNormalization"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32_or_f64(p); r.refused()) return r;
      return needs_row_vectors(p, {1, 2});
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("row_norm", row_norm_parameters(p), all_inputs(p)); },
};

}  // namespace kiln::cpu::tactics
