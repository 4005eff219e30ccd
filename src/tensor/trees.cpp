// Decision trees in attributes.
#include "tensor/trees.h"

#include <algorithm>

#include "base/error.h"

namespace kiln {
namespace {

void require(bool good, const std::string& what) {
  if (!good) throw Error(Code::kInvalidArgument, "the decision trees are not sound: " + what);
}

int32_t small(int64_t value, const char* what) {
  require(value >= INT32_MIN && value <= INT32_MAX, std::string(what) + " is " + std::to_string(value));
  return static_cast<int32_t>(value);
}

void read_nodes(const TreeLists& lists, Trees& trees) {
  const size_t count = lists.features.size();
  const Ints missing = lists.missing_is_true.value_or(Ints());
  require(lists.modes.size() == count && lists.true_children.size() == count && lists.false_children.size() == count &&
              lists.splits.size() == count && (missing.empty() || missing.size() == count),
          "the lists of its nodes differ in length");
  trees.nodes.resize(count);
  for (size_t i = 0; i < count; ++i) {
    require(lists.features[i] >= 0, "a feature is negative");
    require(lists.modes[i] >= 0 && lists.modes[i] < TreeNode::kModeCount, "a comparison is unknown");
    trees.nodes[i] = {lists.splits[i],
                      small(lists.features[i], "a feature"),
                      small(lists.true_children[i], "a child"),
                      small(lists.false_children[i], "a child"),
                      static_cast<TreeNode::Mode>(lists.modes[i]),
                      !missing.empty() && missing[i] != 0};
    trees.features = std::max(trees.features, lists.features[i] + 1);
  }
}

void read_votes(const TreeLists& lists, Trees& trees) {
  trees.leaf_ends = lists.leaf_ends;
  const Ints& targets = lists.vote_targets;
  require(targets.size() == lists.vote_weights.size(), "votes lack a target or a weight");
  int64_t end = 0;
  for (int64_t e : trees.leaf_ends) {
    require(e >= end && e <= static_cast<int64_t>(targets.size()), "a leaf has votes that are not there");
    end = e;
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    require(targets[i] >= 0 && targets[i] < trees.targets, "a vote is for target " + std::to_string(targets[i]));
    trees.votes.push_back({small(targets[i], "a target"), lists.vote_weights[i]});
  }
}

void check_child(const Trees& trees, int32_t child, int64_t parent) {
  const auto nodes = static_cast<int64_t>(trees.nodes.size()), leaves = static_cast<int64_t>(trees.leaf_ends.size());
  require(child < nodes && -1 - static_cast<int64_t>(child) < leaves, "a child is not there");
  require(child < 0 || child > parent, "a child stands before its parent");
}

// Writes fields as attributes of an operator.
struct AttributeWriter {
  Attributes& to;
  template <class T, class... Bounds> void operator()(const char* name, const T& value, const Bounds&...) {
    to.set(name, value);
  }
  template <class... Bounds> void operator()(const char* name, const Trees::Aggregate& value, const Bounds&...) {
    to.set(name, static_cast<int64_t>(value));
  }
  template <class T, class... Bounds>
  void operator()(const char* name, const std::optional<T>& value, const Bounds&...) {
    if (value) to.set(name, *value);
  }
};

// Reads them. Bounds are those of parameters: what the trees mean is checked when they are made.
struct AttributeReader {
  const Attributes& from;
  void operator()(const char* name, Trees::Aggregate& to, int count) {
    const int64_t value = from.integer(name, Trees::kSum);
    require(value >= 0 && value < count, "the aggregate function is unknown");
    to = static_cast<Trees::Aggregate>(value);
  }
  void operator()(const char* name, int64_t& to, int64_t, int64_t) { to = from.integer(name); }
  template <class... Bounds> void operator()(const char* name, Ints& to, const Bounds&...) { to = from.ints(name); }
  void operator()(const char* name, Floats& to) { to = from.reals(name, {}); }
  template <class T, class... Bounds> void operator()(const char* name, std::optional<T>& to, const Bounds&... bounds) {
    to.reset();
    if (from.has(name)) (*this)(name, to.emplace(), bounds...);
  }
};

}  // namespace

TreeLists lists_of(const Trees& trees) {
  TreeLists to{.aggregate = trees.aggregate, .targets = trees.targets, .leaf_ends = trees.leaf_ends};
  to.roots.assign(trees.roots.begin(), trees.roots.end());
  Ints missing;
  for (const TreeNode& n : trees.nodes) {
    to.features.push_back(n.feature);
    to.modes.push_back(n.mode);
    to.true_children.push_back(n.if_true);
    to.false_children.push_back(n.if_false);
    to.splits.push_back(n.split);
    missing.push_back(n.missing_is_true);
  }
  for (const TreeVote& v : trees.votes) {
    to.vote_targets.push_back(v.target);
    to.vote_weights.push_back(v.weight);
  }
  if (std::any_of(missing.begin(), missing.end(), [](int64_t m) { return m != 0; }))
    to.missing_is_true = std::move(missing);
  if (!trees.base.empty()) to.base_values = trees.base;
  return to;
}

Trees trees_of(const TreeLists& lists) {
  Trees trees;
  trees.aggregate = lists.aggregate;
  trees.targets = lists.targets;
  require(trees.targets >= 1 && trees.targets <= INT32_MAX, "it has " + std::to_string(trees.targets) + " targets");
  read_nodes(lists, trees);
  read_votes(lists, trees);
  for (int64_t root : lists.roots) trees.roots.push_back(small(root, "a root"));
  trees.base = lists.base_values.value_or(Floats());
  require(trees.base.empty() || static_cast<int64_t>(trees.base.size()) == trees.targets,
          "there is not one base value per target");
  for (int32_t root : trees.roots) check_child(trees, root, -1);
  for (size_t i = 0; i < trees.nodes.size(); ++i)
    for (int32_t child : {trees.nodes[i].if_true, trees.nodes[i].if_false})
      check_child(trees, child, static_cast<int64_t>(i));
  return trees;
}

Attributes to_attributes(const Trees& trees) {
  Attributes to;
  AttributeWriter writer{to};
  lists_of(trees).fields(writer);
  return to;
}

Trees trees_of(const Attributes& attributes) {
  TreeLists lists;
  AttributeReader reader{attributes};
  lists.fields(reader);
  return trees_of(lists);
}

}  // namespace kiln
