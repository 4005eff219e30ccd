// Cutting a graph down to what still shows a fault.
#include "ir/reduce.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace kiln::ir {
namespace {

using Edit = std::function<void(Graph&)>;
using Fails = std::function<bool(const Graph&)>;

// The results of the first `count` nodes that anything behind them reads, or that the graph returns.
std::vector<Value*> frontier(const std::vector<Node*>& nodes, size_t count) {
  const std::set<const Node*> first(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<Value*> values;
  for (size_t i = 0; i < count; ++i)
    for (Value* v : nodes[i]->outputs()) {
      bool leaves = v->is_graph_output();
      for (const Use& use : v->uses()) leaves = leaves || !first.count(use.node);
      if (leaves && v->is_tensor()) values.push_back(v);
    }
  return values;
}

void keep_first(Graph& graph, size_t count) { graph.set_outputs(frontier(graph.node_list(), count)); }

void drop_first(Graph& graph, size_t count) {
  for (Value* v : frontier(graph.node_list(), count))
    graph.replace_uses(v, graph.add_input(v->name() + ".given", v->type()));
}

// The node's first input of its output's type takes the output's place.
void bypass(Graph& graph, size_t index) {
  Node* node = graph.node_list()[index];
  for (Value* input : node->inputs())
    if (input && input->is_tensor() && input->tensor_type() == node->output()->tensor_type())
      return graph.replace_uses(node->output(), input);
  throw Error(Code::kUnsupported, "no input is like the output");
}

// The node's results become inputs.
void give(Graph& graph, size_t index) {
  for (Value* v : graph.node_list()[index]->outputs())
    if (v->is_tensor()) graph.replace_uses(v, graph.add_input(v->name() + ".given", v->type()));
}

void drop_output(Graph& graph, size_t index) {
  std::vector<Value*> outputs = graph.outputs();
  outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(index));
  graph.set_outputs(std::move(outputs));
}

class Reducer {
 public:
  Reducer(std::unique_ptr<Graph> graph, const Fails& fails) : graph_(std::move(graph)), fails_(fails) {}

  std::unique_ptr<Graph> run() {
    if (!attempt([](Graph&) {}))
      throw Error(Code::kInvalidState, "the check finds no fault in the whole model")
          .remedy("let the check end with an exit code other than 0 where the fault is");
    for (size_t size = SIZE_MAX; graph_->nodes().size() + graph_->outputs().size() < size;) {
      size = graph_->nodes().size() + graph_->outputs().size();
      cut_end();
      cut_begin();
      for (size_t i = graph_->outputs().size(); i-- > 0 && graph_->outputs().size() > 1;)
        attempt([&](Graph& g) { drop_output(g, i); });
      for (size_t i = graph_->nodes().size(); i-- > 0;)
        if (i < graph_->nodes().size() && !attempt([&](Graph& g) { bypass(g, i); }))
          attempt([&](Graph& g) { give(g, i); });
    }
    return std::move(graph_);
  }

 private:
  // Makes the edit when the fault is still there behind it.
  bool attempt(const Edit& edit) {
    auto candidate = graph_->clone();
    try {
      edit(*candidate);
      candidate->remove_dead();
      candidate->infer_types();
      verify(*candidate);
    } catch (const Error&) {
      return false;  // no sound graph
    }
    if (candidate->nodes().empty() || candidate->outputs().empty() || !fails_(*candidate)) return false;
    graph_ = std::move(candidate);
    return true;
  }

  // By bisection: the fewest nodes from the beginning that show the fault, as if more of them always did.
  void cut_end() {
    for (size_t good = 0, bad = graph_->nodes().size(); bad - good > 1;) {
      const size_t middle = (good + bad) / 2;
      if (attempt([&](Graph& g) { keep_first(g, middle); })) bad = std::min(middle, graph_->nodes().size());
      else good = middle;
      if (good >= bad) break;
    }
  }

  void cut_begin() {
    for (size_t step = graph_->nodes().size() / 2; step > 0;)
      if (step >= graph_->nodes().size() || !attempt([&](Graph& g) { drop_first(g, step); })) step /= 2;
  }

  std::unique_ptr<Graph> graph_;
  const Fails& fails_;
};

}  // namespace

std::unique_ptr<Graph> reduce(std::unique_ptr<Graph> graph, const std::function<bool(const Graph&)>& fails) {
  return Reducer(std::move(graph), fails).run();
}

}  // namespace kiln::ir
