// Minimum cut of a small network: which of two labels each node takes at least cost in all.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kiln {

class MinCut {
 public:
  explicit MinCut(size_t nodes) : arcs_(nodes + 2) {}
  // Cost of giving `node` the label false resp. true.
  void add_label_cost(size_t node, double cost_false, double cost_true);
  // Costs when a and b differ.
  void add_pair_cost(size_t a, size_t b, double cost_false_true, double cost_true_false);
  // Labels of least total cost.
  std::vector<bool> solve();

 private:
  struct Arc {
    size_t to, reverse;
    double room;
  };
  size_t source() const { return arcs_.size() - 2; }
  size_t sink() const { return arcs_.size() - 1; }
  void connect(size_t from, size_t to, double forward, double backward);
  double push_one_path();
  bool make_levels();
  std::vector<std::vector<Arc>> arcs_;
  std::vector<int> level_;
  std::vector<size_t> next_;
};

}  // namespace kiln
