// Cutting a model down to what still shows a fault.
#include <functional>
#include <set>

#include "api/graph_file.h"
#include "api/kiln_api.h"
#include "kiln/debug.h"

namespace kiln::api {
namespace {

using Edit = std::function<void(ir::Graph&)>;
using Fails = std::function<bool(const std::string& path)>;

// The results of the first `count` nodes that anything behind them reads, or that the graph returns.
std::vector<ir::Value*> frontier(const std::vector<ir::Node*>& nodes, size_t count) {
  const std::set<const ir::Node*> first(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<ir::Value*> values;
  for (size_t i = 0; i < count; ++i)
    for (ir::Value* v : nodes[i]->outputs()) {
      bool leaves = v->is_graph_output();
      for (const ir::Use& use : v->uses()) leaves = leaves || !first.count(use.node);
      if (leaves && v->is_tensor()) values.push_back(v);
    }
  return values;
}

void keep_first(ir::Graph& graph, size_t count) { graph.set_outputs(frontier(graph.node_list(), count)); }

void drop_first(ir::Graph& graph, size_t count) {
  for (ir::Value* v : frontier(graph.node_list(), count))
    graph.replace_uses(v, graph.add_input(v->name() + ".given", v->type()));
}

// The node's first input of its output's type takes the output's place.
void bypass(ir::Graph& graph, size_t index) {
  ir::Node* node = graph.node_list()[index];
  for (ir::Value* input : node->inputs())
    if (input && input->is_tensor() && input->tensor_type() == node->output()->tensor_type())
      return graph.replace_uses(node->output(), input);
  throw Error(Code::kUnsupported, "no input is like the output");
}

void drop_output(ir::Graph& graph, size_t index) {
  std::vector<ir::Value*> outputs = graph.outputs();
  outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(index));
  graph.set_outputs(std::move(outputs));
}

class Reducer {
 public:
  Reducer(std::unique_ptr<ir::Graph> graph, std::string path, const Fails& fails)
      : graph_(std::move(graph)), path_(std::move(path)), fails_(fails) {}

  Reduction run() {
    const size_t before = graph_->nodes().size();
    if (!attempt([](ir::Graph&) {}))
      throw Error(Code::kInvalidState, "the check finds no fault in the whole model")
          .remedy("let the check end with an exit code other than 0 where the fault is");
    for (size_t size = SIZE_MAX; graph_->nodes().size() + graph_->outputs().size() < size;) {
      size = graph_->nodes().size() + graph_->outputs().size();
      cut_end();
      cut_begin();
      for (size_t i = graph_->outputs().size(); i-- > 0 && graph_->outputs().size() > 1;)
        attempt([&](ir::Graph& g) { drop_output(g, i); });
      for (size_t i = graph_->nodes().size(); i-- > 0;)
        if (i < graph_->nodes().size()) attempt([&](ir::Graph& g) { bypass(g, i); });
    }
    save_graph(*graph_, path_);
    return {before, graph_->nodes().size(), tries_};
  }

 private:
  // Makes the edit when the fault is still there behind it.
  bool attempt(const Edit& edit) {
    auto candidate = graph_->clone();
    try {
      edit(*candidate);
      candidate->remove_dead();
      candidate->infer_types();
      ir::verify(*candidate);
      if (candidate->nodes().empty() || candidate->outputs().empty()) return false;
      save_graph(*candidate, path_);
    } catch (const Error& error) {
      if (error.code() == Code::kIo) throw;
      return false;  // no sound graph
    }
    ++tries_;
    if (!fails_(path_)) return false;
    graph_ = std::move(candidate);
    return true;
  }

  // By bisection: the fewest nodes from the beginning that show the fault, as if more of them always did.
  void cut_end() {
    for (size_t good = 0, bad = graph_->nodes().size(); bad - good > 1;) {
      const size_t middle = (good + bad) / 2;
      if (attempt([&](ir::Graph& g) { keep_first(g, middle); })) bad = std::min(middle, graph_->nodes().size());
      else good = middle;
      if (good >= bad) break;
    }
  }

  void cut_begin() {
    for (size_t step = graph_->nodes().size() / 2; step > 0;)
      if (step >= graph_->nodes().size() || !attempt([&](ir::Graph& g) { drop_first(g, step); })) step /= 2;
  }

  std::unique_ptr<ir::Graph> graph_;
  std::string path_;
  const Fails& fails_;
  size_t tries_ = 0;
};

}  // namespace

Reduction reduce_model(const std::string& model, const std::string& output, const Fails& fails) {
  return guarded([&] {
    if (!output.ends_with(kGraphEnding))
      throw Error(Code::kInvalidArgument, "'" + output + "' does not end in " + kGraphEnding)
          .remedy("reduced models are graphs in Kiln's text form");
    return Reducer(load_model(model), output, fails).run();
  });
}

}  // namespace kiln::api
