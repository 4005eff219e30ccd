// Pointwise nodes in a row become one: fusedPointwiseNode(add1, relu1).
#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr size_t kMaxChain = 16;

bool is_link(const Node& n) { return n.op().is_pointwise(); }

// Casts that rules made go without saying.
std::string chain_name(const Node& first, const Node& next) {
  if (ir::is_cast_of_a_rule(next)) return first.name();
  if (ir::is_cast_of_a_rule(first)) return next.name();
  const std::string_view head = "fusedPointwiseNode(";
  const std::string& name = first.name();
  const bool chain = name.starts_with(head) && name.ends_with(")");
  return (chain ? name.substr(0, name.size() - 1) : std::string(head) + name) + ", " + next.name() + ")";
}

}  // namespace

const Rule pointwise_chain{
    .name = "pointwise_chain",
    .pattern = one_of({}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& root = m.root();
      if (!root.op().is_pointwise()) return std::nullopt;
      for (int i = 0; i < static_cast<int>(root.inputs().size()); ++i) {
        auto patch = append_post_op(m, i, kMaxChain, is_link);
        if (!patch) continue;
        patch->set_name(chain_name(*root.input(i)->producer(), root));
        return patch;
      }
      return std::nullopt;
    },
    .stage = 2,
};

}  // namespace kiln::passes
