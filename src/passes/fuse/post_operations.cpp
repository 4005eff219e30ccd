// Bias, activations and residual sums become post-operations of the convolution or matrix product before them.
#include <algorithm>

#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr size_t kMaxPostOps = 8;

constexpr std::string_view kActivations[] = {"Clip",  "Elu",  "Gelu",    "HardSigmoid", "HardSwish", "LeakyRelu",
                                             "PRelu", "Relu", "Sigmoid", "Silu",        "Swish",     "Tanh"};

bool is_activation(const OpDef& op) {
  return std::count(std::begin(kActivations), std::end(kActivations), op.name()) > 0;
}

bool adds_tensor(const Node& base, const ir::PostOp& post) {
  return std::any_of(post.operands.begin(), post.operands.end(),
                     [&](int operand) { return operand >= 0 && !base.input(operand)->constant(); });
}

// Kernels finish their results with biases and one sum, then one activation, or with the sum after it; what is more stays a node
// of its own.
bool takes(const Node& base, const Node& root, int x) {
  bool active = false, summed = false, closed = false;
  for (const ir::PostOp& post : base.post) {
    const bool sum = !is_activation(*post.op) && adds_tensor(base, post);
    closed = closed || (active && sum);
    active = active || is_activation(*post.op);
    summed = summed || sum;
  }
  if (closed) return false;
  if (is_activation(root.op())) return !active;
  if (!root.is("Add")) return false;
  return root.input(1 - x)->constant() ? !active : !summed;
}

bool is_base(const Node& n) { return n.is("Conv") || n.is("ConvTranspose") || n.is("Gemm") || n.is("MatMul"); }

}  // namespace

const Rule post_operations{
    .name = "post_operations",
    .pattern = one_of({}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& root = m.root();
      if (!root.op().is_pointwise()) return std::nullopt;
      for (int i = 0; i < static_cast<int>(root.inputs().size()); ++i) {
        if (!root.input(i) || root.input(i)->dtype() != root.output()->dtype()) continue;
        const Node* base = root.input(i)->producer();
        if (base && is_base(*base) && !takes(*base, root, i)) {
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
