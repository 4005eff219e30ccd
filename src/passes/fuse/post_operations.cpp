// Bias, activations and residual sums become post-operations of the convolution or matrix product before them.
#include "passes/post_ops.h"
#include "passes/rule_lists.h"

namespace kiln::passes {

const Rule post_operations{
    .name = "post_operations",
    .pattern = one_of({}),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      return append_to_base(m, options.limits, finishes_plainly);
    },
    .stage = 1,
};

}  // namespace kiln::passes
