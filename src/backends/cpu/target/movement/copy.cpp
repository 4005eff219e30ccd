// Tactic: operators that place each element of one input somewhere in the result, as one copy between strides.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/copy_parameters.h"

namespace kiln::cpu::tactics {

const Tactic copy{
    .name = "copy",
    .version = 1,
    .ops = copy_ops(),
    .turns_layouts = true,
    .accepts =
        [](const Problem& p) {
          CopyParameters ignored;
          return copy_parameters(p, ignored);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          CopyParameters to;
          (void)copy_parameters(p, to);
          Emitted e = emit_kernel("copy", to, to.late_starts() ? std::vector<int>{0, 1} : std::vector<int>{0});
          add_filler(p, e);
          return e;
        },
};

}  // namespace kiln::cpu::tactics
