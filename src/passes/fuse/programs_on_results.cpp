// What is more than an activation and a sum becomes a post-operation of the convolution or matrix product before it, where its kernels run programs.
#include "passes/post_ops.h"
#include "passes/rule_lists.h"

namespace kiln::passes {

const Rule programs_on_results{
    .name = std::string(kProgramsOnResults),
    .pattern = one_of({}),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      return append_to_base(m, options.limits, finishes_by_program);
    },
    .stage = 1,
};

}  // namespace kiln::passes
