// Bias, activations and residual sums become post-operations of the convolution or matrix product before them.
#include "passes/pass.h"
#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr size_t kMaxPostOps = 8;

}  // namespace

const Rule post_operations{
    .name = "post_operations",
    .pattern = one_of({}),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const FusionLimits& limits = options.limits;
      const Node& root = m.root();
      if (!root.op().is_pointwise()) return std::nullopt;
      const auto is_base = [&](const Node& n) { return limits.bases.count(n.op_name()) > 0; };
      for (int i = 0; i < static_cast<int>(root.inputs().size()); ++i) {
        if (!root.input(i) || root.input(i)->dtype() != root.output()->dtype()) continue;
        const Node* base = root.input(i)->producer();
        if (base && is_base(*base) && !finishes(*base, root, i, limits)) {
          decline("the kernels finish their results otherwise");
          continue;
        }
        if (auto patch = append_post_op(m, i, kMaxPostOps, is_base)) return patch;
      }
      return std::nullopt;
    },
    .stage = 1,
};

}  // namespace kiln::passes
