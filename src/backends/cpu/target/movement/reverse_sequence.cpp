// Tactic: ReverseSequence.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic reverse_sequence{
    .name = "reverse_sequence",
    .version = 1,
    .accepts = [](const Problem& p) -> Refusal {
      if (p.op() != "ReverseSequence") return refuse(p.op() + " is not ReverseSequence");
      return needs_plain(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("reverse_sequence", {{"time_first", int64_t{p.attributes().integer("time_axis", 0) == 0}}},
                             {0, 1});
        },
};

}  // namespace kiln::cpu::tactics
