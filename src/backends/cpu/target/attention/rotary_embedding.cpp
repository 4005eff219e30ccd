// Tactic: RotaryEmbedding.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/attention_parameters.h"

namespace kiln::cpu::tactics {

const Tactic rotary_embedding{
    .name = "rotary_embedding",
    .version = 1,
    .ops = {"RotaryEmbedding"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("rotary_embedding", rotary_parameters(p),
                             {0, 1, 2, p.input(3).present ? 3 : Emitted::kAbsent});
        },
};

}  // namespace kiln::cpu::tactics
