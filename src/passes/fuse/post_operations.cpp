// Bias, activations and residual sums become post-operations of the convolution or matrix product before them.
#include <algorithm>

#include "passes/pass.h"
#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr size_t kMaxPostOps = 8;

bool adds_tensor(const Node& base, const ir::PostOp& post) {
  return std::any_of(post.operands.begin(), post.operands.end(),
                     [&](int operand) { return operand >= 0 && !base.input(operand)->constant(); });
}

// What is more than the kernels finish their results with stays a node of its own.
bool takes(const Node& base, const Node& root, int x, const FusionLimits& limits) {
  const auto is_activation = [&](const OpDef& op) { return limits.activations.count(op.name()) > 0; };
  bool active = false, closed = false;
  size_t sums = 0;
  for (const ir::PostOp& post : base.post) {
    const bool sum = !is_activation(*post.op) && adds_tensor(base, post);
    closed = closed || (active && sum);
    active = active || is_activation(*post.op);
    sums += sum;
  }
  if (closed) return false;
  if (is_activation(root.op())) return !active;
  if (!root.is("Add")) return false;
  return root.input(1 - x)->constant() ? !active : sums < limits.sums && (!active || limits.sums_behind);
}

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
        if (base && is_base(*base) && !takes(*base, root, i, limits)) {
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
