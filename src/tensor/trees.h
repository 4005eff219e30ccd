// Ensembles of decision trees: how an operator's attributes hold them, and how a row of features finds its leaves.
#pragma once
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tensor/attributes.h"

namespace kiln {

// A comparison of a feature with a number. Children >= 0 are nodes, and stand behind their parent; -1 - k is leaf k.
struct TreeNode {
  enum Mode : uint8_t { kLessOrEqual, kLess, kGreaterOrEqual, kGreater, kEqual, kNotEqual, kModeCount };
  double split = 0;
  int32_t feature = 0, if_true = -1, if_false = -1;
  Mode mode = kLessOrEqual;
  bool missing_is_true = false;  // NaN takes the true branch
  int32_t next(double x) const { return holds(x) ? if_true : if_false; }

 private:
  bool holds(double x) const {
    if (missing_is_true && std::isnan(x)) return true;
    switch (mode) {
      case kLessOrEqual: return x <= split;
      case kLess: return x < split;
      case kGreaterOrEqual: return x >= split;
      case kGreater: return x > split;
      case kEqual: return x == split;
      default: return x != split;
    }
  }
};

// What a leaf adds to a target.
struct TreeVote {
  int32_t target = 0;
  double weight = 0;
};

struct Trees {
  enum Aggregate : uint8_t { kAverage, kSum, kMin, kMax };  // as ONNX numbers them
  Aggregate aggregate = kSum;
  int64_t targets = 0, features = 0;  // features: as many as the nodes look at
  std::vector<int32_t> roots;         // as children
  std::vector<TreeNode> nodes;
  std::vector<int64_t> leaf_ends;  // votes of leaf k: from the end of leaf k - 1
  std::vector<TreeVote> votes;
  std::vector<double> base;  // per target; empty: 0

  std::span<const TreeVote> leaf(int32_t child) const {
    const auto k = static_cast<size_t>(-1 - child);
    const int64_t begin = k == 0 ? 0 : leaf_ends[k - 1];
    return {votes.data() + begin, static_cast<size_t>(leaf_ends[k] - begin)};
  }
};

// The same as lists, which attributes of operators and parameters of steps hold under these names.
struct TreeLists {
  Trees::Aggregate aggregate = Trees::kSum;
  int64_t targets = 0;
  Ints roots = {};
  Ints features = {}, modes = {};  // of the nodes, as are the next four
  Floats splits = {};
  Ints true_children = {}, false_children = {};
  std::optional<Ints> missing_is_true = {};
  Ints leaf_ends = {};
  Ints vote_targets = {};
  Floats vote_weights = {};
  std::optional<Floats> base_values = {};
  template <class V> void fields(V& v) {
    v("aggregate", aggregate, Trees::kMax + 1);
    v("targets", targets, 1, INT32_MAX);
    v("roots", roots, INT32_MIN, INT32_MAX);
    v("features", features, 0, INT32_MAX);
    v("modes", modes, 0, TreeNode::kModeCount - 1);
    v("splits", splits);
    v("true_children", true_children, INT32_MIN, INT32_MAX);
    v("false_children", false_children, INT32_MIN, INT32_MAX);
    v("missing_is_true", missing_is_true, 0, 1);
    v("leaf_ends", leaf_ends, 0);
    v("vote_targets", vote_targets, 0, INT32_MAX);
    v("vote_weights", vote_weights);
    v("base_values", base_values);
  }
};
TreeLists lists_of(const Trees& trees);
// Checked: throws kInvalidArgument when a node, leaf or target is not there, or a child stands before its parent.
Trees trees_of(const TreeLists& lists);

// To attributes of an operator and back, checked likewise.
Attributes to_attributes(const Trees& trees);
Trees trees_of(const Attributes& attributes);

}  // namespace kiln
