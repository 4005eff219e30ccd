// Tactic: Pad with known pads.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/pad_parameters.h"

namespace kiln::cpu::tactics {

const Tactic pad{
    .name = "pad",
    .version = 1,
    .ops = {"Pad"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (!pad_parameters(p)) return refuse("the pads are known only at run time");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("pad", *pad_parameters(p), {0, p.input(2).present ? 2 : Emitted::kAbsent});
        },
};

}  // namespace kiln::cpu::tactics
