// Tactic: ReverseSequence.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/fill_parameters.h"

namespace kiln::cpu::tactics {

const Tactic reverse_sequence{
    .name = "reverse_sequence",
    .version = 1,
    .ops = {"ReverseSequence"},
    .accepts = [](const Problem& p) -> Refusal { return needs_plain(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("reverse_sequence", reverse_sequence_parameters(p), {0, 1}); },
};

}  // namespace kiln::cpu::tactics
