// Tactic: LayerNormalization and RMSNormalization over rows.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

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
    .emit =
        [](const Problem& p, const Config&) {
          Attributes to{{"axis", axis_of(p, "axis", -1, rank(p.input(0)))},
                        {"epsilon", p.attributes().real("epsilon", 1e-5)},
                        {"subtract_mean", int64_t{p.op() == "LayerNormalization"}}};
          return emit_kernel("row_norm", std::move(to), all_inputs(p));
        },
};

}  // namespace kiln::cpu::tactics
