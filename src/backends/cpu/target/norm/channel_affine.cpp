// Tactic: BatchNormalization with constant statistics, as one multiplication and addition per element.
#include "target/channel_affine.h"

#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic channel_affine{
    .name = "channel_affine",
    .version = 1,
    .ops = {"BatchNormalization"},
    .accepts = [](const Problem& p) -> Refusal {
      const Refusal r = needs_f32(p);
      return r.refused() ? r : accept_channel_affine(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("pointwise", {}, {});
          emit_channel_affine(p, e);
          return e;
        },
};

}  // namespace kiln::cpu::tactics
