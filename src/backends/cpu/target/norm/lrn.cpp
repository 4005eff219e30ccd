// Tactic: LRN.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic lrn{
    .name = "lrn",
    .version = 1,
    .ops = {"LRN"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("lrn",
                             {{"alpha", p.attributes().real("alpha", 1e-4)},
                              {"beta", p.attributes().real("beta", 0.75)},
                              {"bias", p.attributes().real("bias", 1.0)},
                              {"size", p.attributes().integer("size")}},
                             {0});
        },
};

}  // namespace kiln::cpu::tactics
