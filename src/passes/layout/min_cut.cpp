// Dinic's algorithm (E. A. Dinic, 1970).
#include "passes/layout/min_cut.h"

#include <algorithm>
#include <limits>

namespace kiln::passes {

void MinCut::connect(size_t from, size_t to, double forward, double backward) {
  arcs_[from].push_back({to, arcs_[to].size(), forward});
  arcs_[to].push_back({from, arcs_[from].size() - 1, backward});
}

void MinCut::add_label_cost(size_t node, double cost_false, double cost_true) {
  // Nodes on the source's side take the label true.
  if (cost_false > 0) connect(source(), node, cost_false, 0);
  if (cost_true > 0) connect(node, sink(), cost_true, 0);
}

void MinCut::add_pair_cost(size_t a, size_t b, double cost) {
  if (cost > 0 && a != b) connect(a, b, cost, cost);
}

bool MinCut::make_levels() {
  level_.assign(arcs_.size(), -1);
  std::vector<size_t> queue{source()};
  level_[source()] = 0;
  for (size_t i = 0; i < queue.size(); ++i)
    for (const Arc& arc : arcs_[queue[i]])
      if (arc.room > 0 && level_[arc.to] < 0) {
        level_[arc.to] = level_[queue[i]] + 1;
        queue.push_back(arc.to);
      }
  return level_[sink()] >= 0;
}

double MinCut::push(size_t node, double flow) {
  if (node == sink()) return flow;
  for (size_t& i = next_[node]; i < arcs_[node].size(); ++i) {
    Arc& arc = arcs_[node][i];
    if (arc.room <= 0 || level_[arc.to] != level_[node] + 1) continue;
    const double pushed = push(arc.to, std::min(flow, arc.room));
    if (pushed > 0) {
      arc.room -= pushed;
      arcs_[arc.to][arc.reverse].room += pushed;
      return pushed;
    }
  }
  return 0;
}

std::vector<bool> MinCut::solve() {
  while (make_levels()) {
    next_.assign(arcs_.size(), 0);
    while (push(source(), std::numeric_limits<double>::max()) > 0) {
    }
  }
  std::vector<bool> labels(arcs_.size() - 2);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = level_[i] >= 0;
  return labels;
}

}  // namespace kiln::passes
