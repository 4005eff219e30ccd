// Fused nodes that no tactic takes are split.
#include "compiler/split.h"

#include <algorithm>
#include <utility>

#include "base/index.h"
#include "compiler/problems.h"
#include "compiler/signatures.h"

namespace kiln {
namespace {

using Tail = std::vector<std::pair<ir::PostOp, std::vector<ir::Value*>>>;  // with the values that the operands count in

std::string names_of(const Tail& tail) {
  std::string names;
  for (const auto& [post, extra] : tail) names += (names.empty() ? "" : ", ") + post.op->name();
  return names;
}

// Puts a node of the operations in `tail` behind the node; it takes over the result with its name and layout.
void put_behind(ir::Graph& graph, ir::Node& node, ir::Node* before, Tail tail) {
  ir::Value* result = node.output();
  const auto& [first, extra] = tail.front();
  ir::NodeSpec spec;
  spec.op = first.op;
  spec.attributes = first.attributes;
  for (int operand : first.operands) spec.inputs.push_back(operand < 0 ? result : nth(extra, operand));
  spec.name = node.name() + " (" + names_of(tail) + ")";
  spec.origins = node.origins;
  ir::Node* made = graph.add_node(std::move(spec), before);
  for (size_t i = 1; i < tail.size(); ++i) made->add_post_op(tail[i].first, tail[i].second);
  graph.infer(*made);
  made->output()->layout = result->layout;
  for (const ir::Use& use : std::vector<ir::Use>(result->uses()))
    if (use.node != made) use.node->set_input(use.input, made->output());
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    if (graph.outputs()[i] == result) graph.set_output(i, made->output());
  const std::string name = result->name();
  graph.rename(made->output(), name);  // and the result is called otherwise
}

class Splitter {
 public:
  Splitter(const Extents& extents, const SignatureFinder& finder, Logger& logger)
      : extents_(extents), logger_(logger), finder_(finder) {}

  // Whether there was something to split.
  bool run(ir::Graph& graph, bool is_body) {
    bool found = false;
    for (ir::Node* node : graph.node_list())
      for (const auto& region : node->regions) found = run(*region, true) || found;
    while (split_one_round(graph, is_body)) found = true;
    return found;
  }

 private:
  // Every declined node once; the nodes that come out are looked at in the next round.
  bool split_one_round(ir::Graph& graph, bool is_body) {
    std::vector<std::pair<ir::Node*, ir::Node*>> declined;  // with the node that stands behind it
    const std::vector<ir::Node*> nodes = graph.node_list();
    const std::vector<Problem> problems = make_problems(extents_, finder_.threads(), graph, is_body);
    size_t next = 0;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (!nodes[i]->regions.empty()) continue;
      const Problem& problem = problems[next++];
      if (!nodes[i]->post.empty() && nodes[i]->outputs().size() == 1 && !finder_.takes(problem))
        declined.emplace_back(nodes[i], i + 1 < nodes.size() ? nodes[i + 1] : nullptr);
    }
    for (const auto& [node, before] : declined) split(graph, *node, before, is_body);
    return !declined.empty();
  }

  void split(ir::Graph& graph, ir::Node& node, ir::Node* before, bool is_body) {
    Tail tail;
    do {
      tail.insert(tail.begin(), node.take_last_post_op());
      graph.infer(node);  // a cast may have been taken
    } while (!node.post.empty() && !accepted(graph, node, is_body));
    logger_.log(Severity::kVerbose,
                node.name() + ": no tactic takes it with " + names_of(tail) + ", which is split off");
    put_behind(graph, node, before, std::move(tail));
  }

  bool accepted(const ir::Graph& graph, const ir::Node& node, bool is_body) const {
    const std::vector<Problem> problems = make_problems(extents_, finder_.threads(), graph, is_body);
    return std::any_of(problems.begin(), problems.end(),
                       [&](const Problem& p) { return p.node == &node && finder_.takes(p); });
  }

  const Extents& extents_;
  Logger& logger_;
  const SignatureFinder& finder_;
};

}  // namespace

bool split_declined(ir::Graph& graph, const Extents& extents, const SignatureFinder& finder, Logger& logger) {
  return finder.has_tactics() && Splitter(extents, finder, logger).run(graph, false);
}

}  // namespace kiln
