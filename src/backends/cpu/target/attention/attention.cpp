// Tactic: Attention by blocks of queries.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/attention_parameters.h"

namespace kiln::cpu::tactics {
const Tactic attention{
    .name = "attention",
    .version = 1,
    .ops = {"Attention"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      if (p.outputs.size() > 1) return refuse("it has more than one result");
      for (int i = 4; i < 7; ++i)
        if (p.input(i).present) return refuse("it has a cache or lengths of sequences");
      if (p.attributes().real("softcap", 0) != 0) return refuse("its scores are capped");
      if (p.attributes().has("scale") && p.attributes().real("scale") < 0) return refuse("its scale is negative");
      return mask_fits(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e =
              emit_kernel("attention", attention_parameters(p), {0, 1, 2, p.input(3).present ? 3 : Emitted::kAbsent});
          e.strided_inputs = 0b0111;
          return e;
        },
};

}  // namespace kiln::cpu::tactics
