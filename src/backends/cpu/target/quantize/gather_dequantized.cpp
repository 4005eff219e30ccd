// Tactic: slices of a constant table of integers of 2, 4 or 8 bits, dequantized as they are taken.
#include "target/gather_dequantized.h"

#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic gather_dequantized{
    .name = "gather_dequantized",
    .version = 1,
    .ops = {"GatherDequantized"},
    .accepts = accept_gather_dequantized,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("gather_dequantized", {}, {});
          emit_gather_dequantized(p, e);
          return e;
        },
};

}  // namespace kiln::cpu::tactics
