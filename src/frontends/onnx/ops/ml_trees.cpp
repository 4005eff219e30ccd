// ai.onnx.ml.TreeEnsemble, TreeEnsembleClassifier and TreeEnsembleRegressor: their nodes in an order in which children follow parents, and
// a set of numbers as comparisons with each.
#include <algorithm>
#include <map>
#include <set>

#include "base/index.h"
#include "base/require.h"
#include "frontends/onnx/ops/ml_scores.h"
#include "tensor/trees.h"

namespace kiln::onnx::ops {
namespace {

constexpr int64_t kMember = 6;  // ONNX's number of the mode that looks into a set

// A node as the model has it. Children >= 0 are nodes, -1 - k is leaf k.
struct Branch {
  int64_t mode = 0, feature = 0, if_true = 0, if_false = 0;
  double split = 0;
  bool missing_is_true = false;
  Floats members;  // of kMember
};

// Depth first from the roots; a node stands behind all its parents. Throws when one is its own ancestor.
std::vector<int64_t> parents_first(const std::vector<Branch>& branches, const Ints& roots) {
  enum State : uint8_t { kNew, kOpen, kDone };
  std::vector<State> states(branches.size(), kNew);
  std::vector<int64_t> order;
  std::vector<std::pair<int64_t, int>> path;  // a node, and which child comes next
  const auto visit = [&](int64_t child) {
    if (child < 0) return;
    State& state = states.at(static_cast<size_t>(child));
    require(state != kOpen, Code::kInvalidGraph, "a node of a decision tree is below itself");
    if (state == kNew) {
      state = kOpen;
      path.emplace_back(child, 0);
    }
  };
  for (int64_t root : roots) {
    visit(root);
    while (!path.empty()) {
      const int64_t at = path.back().first;
      const Branch& b = nth(branches, at);
      const int next = path.back().second++;
      if (next < 2) {
        visit(next == 0 ? b.if_false : b.if_true);
        continue;
      }
      nth(states, at) = kDone;
      order.push_back(at);
      path.pop_back();
    }
  }
  std::reverse(order.begin(), order.end());
  return order;
}

void check_children(NodeImport& n, const std::vector<Branch>& branches, const Ints& roots, int64_t leaves) {
  const auto check = [&](int64_t child) {
    if (child >= static_cast<int64_t>(branches.size()) || child < -leaves)
      n.invalid("a decision tree has a branch that leads nowhere");
  };
  for (int64_t root : roots) check(root);
  for (const Branch& b : branches) {
    check(b.if_true);
    check(b.if_false);
    if (b.mode < 0 || b.mode > kMember) n.invalid("the mode " + std::to_string(b.mode) + " of a node is not known");
  }
}

// A set without members is a comparison that never holds.
int64_t length_of(const Branch& b) {
  return b.mode == kMember ? std::max<int64_t>(1, static_cast<int64_t>(b.members.size())) : 1;
}

void set_nodes(NodeImport& n, const std::vector<Branch>& branches, const Ints& roots, Trees& trees) {
  check_children(n, branches, roots, static_cast<int64_t>(trees.leaf_ends.size()));
  const std::vector<int64_t> order = parents_first(branches, roots);
  std::vector<int64_t> places(branches.size(), 0);
  int64_t count = 0;
  for (int64_t at : order) {
    nth(places, at) = count;
    count += length_of(nth(branches, at));
  }
  if (count > INT32_MAX) n.unsupported("decision trees of " + std::to_string(count) + " nodes");
  const auto place = [&](int64_t child) { return static_cast<int32_t>(child < 0 ? child : nth(places, child)); };
  for (int64_t at : order) {
    const Branch& b = nth(branches, at);
    if (b.feature < 0 || b.feature > INT32_MAX) n.invalid("a node looks at feature " + std::to_string(b.feature));
    TreeNode node{b.split,          static_cast<int32_t>(b.feature),
                  place(b.if_true), place(b.if_false),
                  TreeNode::kEqual, b.missing_is_true};
    if (b.mode != kMember) {
      node.mode = static_cast<TreeNode::Mode>(b.mode);
      trees.nodes.push_back(node);
      continue;
    }
    const int64_t length = length_of(b);
    for (int64_t i = 0; i < length; ++i) {
      node.split = b.members.empty() ? std::nan("") : nth(b.members, i);
      const bool last = i + 1 == length;
      node.if_false = last ? place(b.if_false) : static_cast<int32_t>(trees.nodes.size()) + 1;
      trees.nodes.push_back(node);
    }
  }
  for (int64_t root : roots) trees.roots.push_back(place(root));
}

// A list of the model, as attribute `name` or, in double precision, `name`_as_tensor.
Floats list_or_tensor(NodeImport& n, const std::string& name) {
  if (!n.has_attr(name + "_as_tensor")) return n.reals(name);
  const Tensor t = n.tensor(name + "_as_tensor");
  Floats values;
  for (int64_t i = 0; i < t.size(); ++i) values.push_back(t.at(i));
  return values;
}

template <class List> void expect_length(NodeImport& n, const char* what, const List& list, size_t length) {
  if (list.size() != length)
    n.invalid(std::string(what) + " has " + std::to_string(list.size()) + " elements, not " + std::to_string(length));
}

int64_t mode_of(NodeImport& n, const std::string& name) {
  static const std::map<std::string, int64_t> kModes{{"BRANCH_LEQ", 0}, {"BRANCH_LT", 1}, {"BRANCH_GTE", 2},
                                                     {"BRANCH_GT", 3},  {"BRANCH_EQ", 4}, {"BRANCH_NEQ", 5}};
  const auto at = kModes.find(name);
  if (at == kModes.end()) n.invalid("the mode '" + name + "' of a node is not known");
  return at->second;
}

// Trees of the older operators: nodes by number of the tree and within it, leaves among them; votes by the same numbers, in lists with
// the prefix `kind` ("class" or "target").
Trees numbered_trees(NodeImport& n, const std::string& kind, int64_t targets) {
  const Ints trees_of_nodes = n.ints("nodes_treeids"), ids = n.ints("nodes_nodeids"),
             features = n.ints("nodes_featureids"), if_true = n.ints("nodes_truenodeids"),
             if_false = n.ints("nodes_falsenodeids"), missing = n.ints("nodes_missing_value_tracks_true");
  const Strings modes = n.texts("nodes_modes");
  const Floats splits = list_or_tensor(n, "nodes_values");
  const size_t count = ids.size();
  expect_length(n, "nodes_treeids", trees_of_nodes, count);
  expect_length(n, "nodes_featureids", features, count);
  expect_length(n, "nodes_truenodeids", if_true, count);
  expect_length(n, "nodes_falsenodeids", if_false, count);
  expect_length(n, "nodes_modes", modes, count);
  expect_length(n, "nodes_values", splits, count);
  if (!missing.empty()) expect_length(n, "nodes_missing_value_tracks_true", missing, count);

  Trees trees;
  trees.targets = targets;
  std::map<std::pair<int64_t, int64_t>, int64_t> places;  // as children
  int64_t branches = 0, leaves = 0;
  for (size_t i = 0; i < count; ++i) {
    const int64_t child = modes[i] == "LEAF" ? -1 - leaves++ : branches++;
    if (!places.try_emplace({trees_of_nodes[i], ids[i]}, child).second)
      n.invalid("node " + std::to_string(ids[i]) + " of tree " + std::to_string(trees_of_nodes[i]) + " is there twice");
  }
  const auto place = [&](int64_t tree, int64_t id) {
    const auto at = places.find({tree, id});
    if (at == places.end()) n.invalid("there is no node " + std::to_string(id) + " of tree " + std::to_string(tree));
    return at->second;
  };

  const Ints vote_trees = n.ints(kind + "_treeids"), vote_nodes = n.ints(kind + "_nodeids"),
             vote_targets = n.ints(kind + "_ids");
  const Floats weights = list_or_tensor(n, kind + "_weights");
  expect_length(n, "the list of trees of votes", vote_trees, weights.size());
  expect_length(n, "the list of nodes of votes", vote_nodes, weights.size());
  expect_length(n, "the list of targets of votes", vote_targets, weights.size());
  std::vector<std::vector<TreeVote>> votes(static_cast<size_t>(leaves));
  for (size_t i = 0; i < weights.size(); ++i) {
    const int64_t leaf = place(vote_trees[i], vote_nodes[i]);
    if (vote_targets[i] < 0 || vote_targets[i] >= targets)
      n.invalid("a vote is for target " + std::to_string(vote_targets[i]));
    if (leaf >= 0) continue;  // only leaves are reached
    votes[static_cast<size_t>(-1 - leaf)].push_back({static_cast<int32_t>(vote_targets[i]), weights[i]});
  }
  for (const auto& list : votes) {
    trees.votes.insert(trees.votes.end(), list.begin(), list.end());
    trees.leaf_ends.push_back(static_cast<int64_t>(trees.votes.size()));
  }

  std::vector<Branch> all;
  Ints roots;
  std::set<int64_t> begun;
  for (size_t i = 0; i < count; ++i) {
    const int64_t tree = trees_of_nodes[i];
    if (begun.insert(tree).second) roots.push_back(place(tree, ids[i]));  // the first node of a tree is its root
    if (modes[i] == "LEAF") continue;
    all.push_back({mode_of(n, modes[i]),
                   features[i],
                   place(tree, if_true[i]),
                   place(tree, if_false[i]),
                   splits[i],
                   !missing.empty() && missing[i] != 0,
                   {}});
  }
  trees.base = list_or_tensor(n, "base_values");
  set_nodes(n, all, roots, trees);
  return trees;
}

ir::Value* grown(NodeImport& n, const Trees& trees) {
  return n.add("DecisionTrees", {as_rows(n, as_float(n))}, to_attributes(trees));
}

void import_tree_regressor(NodeImport& n) {
  Trees trees = numbered_trees(n, "target", n.integer("n_targets", 1));
  static const std::map<std::string, Trees::Aggregate> kAggregates{
      {"AVERAGE", Trees::kAverage}, {"SUM", Trees::kSum}, {"MIN", Trees::kMin}, {"MAX", Trees::kMax}};
  const std::string aggregate = n.text("aggregate_function", "SUM");
  const auto at = kAggregates.find(aggregate);
  if (at == kAggregates.end()) n.invalid("aggregate_function '" + aggregate + "' is not known");
  trees.aggregate = at->second;
  ir::Value* y = transformed(n, grown(n, trees), n.text("post_transform", "NONE"));
  n.emit("Cast", {y}, {{"to", std::string("float32")}});
}

// Votes for one class only decide between two: it wins beyond 1/2 when no vote is negative, else beyond 0.
void import_tree_classifier(NodeImport& n) {
  const Labels labels{n.ints("classlabels_int64s"), n.texts("classlabels_strings")};
  const Ints classes = n.ints("class_ids");
  if (labels.count() == 0) n.invalid("there are no labels");
  Floats base = list_or_tensor(n, "base_values");
  const bool one =
      labels.count() == 2 && std::all_of(classes.begin(), classes.end(), [](int64_t id) { return id == 0; });
  if (one && base.size() == 2)
    n.unsupported("two base values where all votes are for one class", "give one base value");
  const Trees trees = numbered_trees(n, "class", one ? 1 : static_cast<int64_t>(labels.count()));
  const bool none_negative =
      std::all_of(trees.votes.begin(), trees.votes.end(), [](const TreeVote& v) { return v.weight >= 0; });
  const Duel duel{none_negative ? 0.5 : 0.0, none_negative};
  yield_classes(n, labels, cast_to(n, grown(n, trees), DType::kF32), one ? std::optional(duel) : std::nullopt);
}

// Sets of members follow each other, each ended by NaN but the last.
std::vector<Floats> member_sets(NodeImport& n) {
  std::vector<Floats> sets;
  if (!n.has_attr("membership_values")) return sets;
  const Tensor values = n.tensor("membership_values");
  bool open = false;
  for (int64_t i = 0; i < values.size(); ++i) {
    if (!open) sets.emplace_back();
    open = !std::isnan(values.at(i));
    if (open) sets.back().push_back(values.at(i));
  }
  return sets;
}

void import_tree_ensemble(NodeImport& n) {
  const Ints features = n.ints("nodes_featureids"), if_true = n.ints("nodes_truenodeids"),
             true_leaf = n.ints("nodes_trueleafs"), if_false = n.ints("nodes_falsenodeids"),
             false_leaf = n.ints("nodes_falseleafs"), missing = n.ints("nodes_missing_value_tracks_true"),
             targets = n.ints("leaf_targetids");
  const Tensor modes = n.tensor("nodes_modes"), splits = n.tensor("nodes_splits"), weights = n.tensor("leaf_weights");
  const size_t count = features.size();
  expect_length(n, "nodes_truenodeids", if_true, count);
  expect_length(n, "nodes_trueleafs", true_leaf, count);
  expect_length(n, "nodes_falsenodeids", if_false, count);
  expect_length(n, "nodes_falseleafs", false_leaf, count);
  if (!missing.empty()) expect_length(n, "nodes_missing_value_tracks_true", missing, count);
  if (modes.size() != static_cast<int64_t>(count) || splits.size() != static_cast<int64_t>(count) ||
      weights.size() != static_cast<int64_t>(targets.size()))
    n.invalid("the lists of nodes or leaves differ in length");
  Trees trees;
  trees.targets = n.integer("n_targets", 1);
  const int64_t aggregate = n.integer("aggregate_function", Trees::kSum);
  if (aggregate < 0 || aggregate > Trees::kMax)
    n.invalid("aggregate_function " + std::to_string(aggregate) + " is not known");
  trees.aggregate = static_cast<Trees::Aggregate>(aggregate);
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] < 0 || targets[i] >= trees.targets) n.invalid("a leaf is for target " + std::to_string(targets[i]));
    trees.votes.push_back({static_cast<int32_t>(targets[i]), weights.at(static_cast<int64_t>(i))});
    trees.leaf_ends.push_back(static_cast<int64_t>(i) + 1);
  }
  const std::vector<Floats> sets = member_sets(n);
  const auto child = [&](int64_t id, int64_t leaf) {
    if (id < 0) n.invalid("a branch leads to " + std::to_string(id));
    return leaf != 0 ? -1 - id : id;
  };
  std::vector<Branch> branches;
  size_t next_set = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto at = static_cast<int64_t>(i);
    branches.push_back({modes.int_at(at),
                        features[i],
                        child(if_true[i], true_leaf[i]),
                        child(if_false[i], false_leaf[i]),
                        splits.at(at),
                        !missing.empty() && missing[i] != 0,
                        {}});
    if (modes.int_at(at) != kMember) continue;
    if (next_set >= sets.size()) n.invalid("membership_values has too few sets");
    branches.back().members = sets[next_set++];
  }
  set_nodes(n, branches, n.ints("tree_roots"), trees);
  static const char* const kTransforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  const int64_t transform = n.integer("post_transform", 0);
  if (transform < 0 || transform > 4) n.invalid("post_transform " + std::to_string(transform) + " is not known");
  n.emit("Identity", {transformed(n, grown(n, trees), kTransforms[transform])});
}

}  // namespace

const OnnxOp ml_tree_ensemble{"ai.onnx.ml.TreeEnsemble", {{5, import_tree_ensemble}}};
const OnnxOp ml_tree_ensemble_classifier{"ai.onnx.ml.TreeEnsembleClassifier", {{1, import_tree_classifier}}};
const OnnxOp ml_tree_ensemble_regressor{"ai.onnx.ml.TreeEnsembleRegressor", {{1, import_tree_regressor}}};

}  // namespace kiln::onnx::ops
