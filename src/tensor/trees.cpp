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

void read_nodes(const Attributes& attributes, Trees& trees) {
  const Ints &features = attributes.ints("features"), &modes = attributes.ints("modes"),
             &if_true = attributes.ints("true_children"), &if_false = attributes.ints("false_children");
  const Ints missing = attributes.ints("missing_is_true", {});
  const Floats splits = attributes.reals("splits", {});
  const size_t count = features.size();
  require(modes.size() == count && if_true.size() == count && if_false.size() == count && splits.size() == count &&
              (missing.empty() || missing.size() == count),
          "the lists of its nodes differ in length");
  trees.nodes.resize(count);
  for (size_t i = 0; i < count; ++i) {
    require(features[i] >= 0, "a feature is negative");
    require(modes[i] >= 0 && modes[i] < TreeNode::kModeCount, "a comparison is unknown");
    trees.nodes[i] = {splits[i],
                      small(features[i], "a feature"),
                      small(if_true[i], "a child"),
                      small(if_false[i], "a child"),
                      static_cast<TreeNode::Mode>(modes[i]),
                      !missing.empty() && missing[i] != 0};
    trees.features = std::max(trees.features, features[i] + 1);
  }
}

void read_votes(const Attributes& attributes, Trees& trees) {
  trees.leaf_ends = attributes.ints("leaf_ends");
  const Ints& targets = attributes.ints("vote_targets");
  const Floats weights = attributes.reals("vote_weights", {});
  require(targets.size() == weights.size(), "votes lack a target or a weight");
  int64_t end = 0;
  for (int64_t e : trees.leaf_ends) {
    require(e >= end && e <= static_cast<int64_t>(targets.size()), "a leaf has votes that are not there");
    end = e;
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    require(targets[i] >= 0 && targets[i] < trees.targets, "a vote is for target " + std::to_string(targets[i]));
    trees.votes.push_back({small(targets[i], "a target"), weights[i]});
  }
}

void check_child(const Trees& trees, int32_t child, int64_t parent) {
  const auto nodes = static_cast<int64_t>(trees.nodes.size()), leaves = static_cast<int64_t>(trees.leaf_ends.size());
  require(child < nodes && -1 - static_cast<int64_t>(child) < leaves, "a child is not there");
  require(child < 0 || child > parent, "a child stands before its parent");
}

}  // namespace

Attributes to_attributes(const Trees& trees) {
  Ints features, modes, if_true, if_false, missing, targets;
  Floats splits, weights;
  for (const TreeNode& n : trees.nodes) {
    features.push_back(n.feature);
    modes.push_back(n.mode);
    if_true.push_back(n.if_true);
    if_false.push_back(n.if_false);
    missing.push_back(n.missing_is_true);
    splits.push_back(n.split);
  }
  for (const TreeVote& v : trees.votes) {
    targets.push_back(v.target);
    weights.push_back(v.weight);
  }
  Attributes result{{"aggregate", static_cast<int64_t>(trees.aggregate)},
                    {"targets", trees.targets},
                    {"roots", Ints(trees.roots.begin(), trees.roots.end())},
                    {"features", std::move(features)},
                    {"modes", std::move(modes)},
                    {"splits", std::move(splits)},
                    {"true_children", std::move(if_true)},
                    {"false_children", std::move(if_false)},
                    {"leaf_ends", Ints(trees.leaf_ends)},
                    {"vote_targets", std::move(targets)},
                    {"vote_weights", std::move(weights)}};
  if (std::any_of(missing.begin(), missing.end(), [](int64_t m) { return m != 0; }))
    result.set("missing_is_true", std::move(missing));
  if (!trees.base.empty()) result.set("base_values", trees.base);
  return result;
}

Trees trees_of(const Attributes& attributes) {
  Trees trees;
  const int64_t aggregate = attributes.integer("aggregate", Trees::kSum);
  require(aggregate >= Trees::kAverage && aggregate <= Trees::kMax, "the aggregate function is unknown");
  trees.aggregate = static_cast<Trees::Aggregate>(aggregate);
  trees.targets = attributes.integer("targets");
  require(trees.targets >= 1 && trees.targets <= INT32_MAX, "it has " + std::to_string(trees.targets) + " targets");
  read_nodes(attributes, trees);
  read_votes(attributes, trees);
  for (int64_t root : attributes.ints("roots")) trees.roots.push_back(small(root, "a root"));
  trees.base = attributes.reals("base_values", {});
  require(trees.base.empty() || static_cast<int64_t>(trees.base.size()) == trees.targets,
          "there is not one base value per target");
  for (int32_t root : trees.roots) check_child(trees, root, -1);
  for (size_t i = 0; i < trees.nodes.size(); ++i)
    for (int32_t child : {trees.nodes[i].if_true, trees.nodes[i].if_false})
      check_child(trees, child, static_cast<int64_t>(i));
  return trees;
}

}  // namespace kiln
