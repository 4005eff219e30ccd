// Problems of a graph: its nodes with numbers for their dimensions.
#include "compiler/problems.h"

#include <algorithm>
#include <set>

namespace kiln {
namespace {

constexpr int64_t kGuess = 32;  // for what only running can tell

bool unused(const ir::Value* v) { return v->uses().empty() && !v->is_graph_output(); }

// Dimensions that are lone symbols give them their numbers when the value is there.
void bind_symbols(const ir::Value* value, std::set<std::string>& bound) {
  if (!value->is_tensor() || !value->ranked()) return;
  for (const Dim& d : value->shape()) {
    std::set<std::string> symbols;
    d.collect_symbols(symbols);
    if (symbols.size() == 1 && d == Dim::symbol(*symbols.begin())) bound.insert(*symbols.begin());
  }
}

class ProblemMaker {
 public:
  ProblemMaker(const Extents& extents, int threads, bool is_body)
      : extents_(extents), threads_(threads), is_body_(is_body) {}

  std::vector<Problem> run(const ir::Graph& graph) {
    std::vector<Problem> problems;
    for (const ir::Value* v : graph.inputs()) bind_symbols(v, bound_);
    for (const auto& node : graph.nodes()) {
      const std::set<std::string> before = bound_;
      for (const ir::Value* v : node->outputs()) bind_symbols(v, bound_);
      if (node->regions.empty()) problems.push_back(problem_of(*node, before));
    }
    return problems;
  }

 private:
  Problem problem_of(const ir::Node& node, const std::set<std::string>& bound) const {
    Problem problem;
    problem.node = &node;
    problem.threads = threads_;
    for (const ir::Value* v : node.inputs()) problem.inputs.push_back(argument(v));
    for (size_t i = 0; i < node.outputs().size(); ++i)
      problem.outputs.push_back(i > 0 && unused(node.outputs()[i]) ? Argument() : argument(node.outputs()[i]));
    for (size_t i = 0; i < problem.outputs.size(); ++i)
      if (problem.outputs[i].present) problem.sizes_results |= !follows(node.outputs()[i], bound);
    return problem;
  }

  Argument argument(const ir::Value* value) const {
    Argument a;
    if (!value) return a;
    a.present = true;
    a.dtype = value->dtype();
    a.layout = value->layout;
    a.constant = value->constant();
    const auto opt = value->is_tensor() && value->ranked() ? extents_.guess(value->shape(), kGuess) : std::nullopt;
    auto max = opt ? extents_.max(value->shape()) : std::nullopt;
    if (opt && !max) max = extents_.guess(value->shape(), 2 * kGuess);
    a.ranked = opt && max;
    if (!a.ranked) return a;
    a.opt = *opt;
    a.max = *max;
    a.is_static = is_static(value->shape()) && (!is_body_ || value->constant() || value->is_tensor());
    if (!a.is_static) a.min = extents_.min(value->shape()).value_or(Dims());
    return a;
  }

  // The shape can be computed before the value is, once these symbols have their numbers.
  bool follows(const ir::Value* value, const std::set<std::string>& bound) const {
    if (!value->is_tensor() || !value->ranked()) return false;
    std::set<std::string> symbols;
    for (const Dim& d : value->shape()) d.collect_symbols(symbols);
    return std::all_of(symbols.begin(), symbols.end(),
                       [&](const std::string& s) { return bound.count(s) || extents_.opt({Dim::symbol(s)}); });
  }

  const Extents& extents_;
  int threads_;
  bool is_body_;
  std::set<std::string> bound_;
};

}  // namespace

std::vector<Problem> make_problems(const Extents& extents, int threads, const ir::Graph& graph, bool is_body) {
  return ProblemMaker(extents, threads, is_body).run(graph);
}

}  // namespace kiln
