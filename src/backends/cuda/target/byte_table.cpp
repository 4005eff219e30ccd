// Tactic: chains of pointwise operators from one tensor of bytes to bytes, by a table of all results.
#include "target/byte_table.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {

const Tactic byte_table{
    .name = "byte_table",
    .version = 1,
    .accepts = accept_byte_table,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("byte_table", {}, {});
          emit_byte_table(p, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
