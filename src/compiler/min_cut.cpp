// Dinic's algorithm (E. A. Dinic, 1970).
#include "compiler/min_cut.h"

#include <algorithm>
#include <limits>

namespace kiln {

void MinCut::connect(size_t from, size_t to, double forward, double backward) {
  arcs_[from].push_back({to, arcs_[to].size(), forward});
  arcs_[to].push_back({from, arcs_[from].size() - 1, backward});
}

void MinCut::add_label_cost(size_t node, double cost_false, double cost_true) {
  // Nodes on the source's side take the label true.
  if (cost_false > 0) connect(source(), node, cost_false, 0);
  if (cost_true > 0) connect(node, sink(), cost_true, 0);
}

void MinCut::add_pair_cost(size_t a, size_t b, double cost_false_true, double cost_true_false) {
  if (a != b && (cost_false_true > 0 || cost_true_false > 0)) connect(a, b, cost_true_false, cost_false_true);
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

// One way from the source to the sink along the levels: what could be pushed through it; 0 when there is none left.
double MinCut::push_one_path() {
  std::vector<Arc*> path;
  size_t node = source();
  while (node != sink()) {
    size_t& i = next_[node];
    while (i < arcs_[node].size() && (arcs_[node][i].room <= 0 || level_[arcs_[node][i].to] != level_[node] + 1)) ++i;
    if (i < arcs_[node].size()) {
      path.push_back(&arcs_[node][i]);
      node = path.back()->to;
    } else {
      if (path.empty()) return 0;
      node = arcs_[path.back()->to][path.back()->reverse].to;
      path.pop_back();
      ++next_[node];
    }
  }
  double flow = std::numeric_limits<double>::max();
  for (const Arc* arc : path) flow = std::min(flow, arc->room);
  for (Arc* arc : path) {
    arc->room -= flow;
    arcs_[arc->to][arc->reverse].room += flow;
  }
  return flow;
}

std::vector<bool> MinCut::solve() {
  while (make_levels()) {
    next_.assign(arcs_.size(), 0);
    while (push_one_path() > 0) {
    }
  }
  std::vector<bool> labels(arcs_.size() - 2);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = level_[i] >= 0;
  return labels;
}

}  // namespace kiln
