// Tactic: Pad with known pads.
#include "target/pad_parameters.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {

const Tactic pad{
    .name = "pad",
    .version = 1,
    .ops = {"Pad"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (rank(p.input(0)) > 8) return refuse("there are more than eight axes");
      if (!pad_parameters(p)) return refuse("the pads are known only at run time");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("pad", *pad_parameters(p), {0, p.input(2).present ? 2 : Emitted::kAbsent});
          e.strided_inputs = 1;
          return e;
        },
};

}  // namespace kiln::cuda::tactics
