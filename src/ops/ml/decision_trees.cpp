// DecisionTrees: each row of features walks down every tree, and the leaves' votes make the row's targets: their sum, mean, least or
// greatest, and the base values. What ai.onnx.ml's three ensembles of trees become; tensor/trees.h says what the attributes mean.
#include "base/index.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "tensor/trees.h"

namespace kiln::ops {
namespace {

OutputShape trees_shape(ShapeCall& c) {
  require_rank(c, "X", 2);
  const Trees trees = trees_of(c.attributes());
  const Dim& features = c.dims("X")[1];
  if (features.is_constant() && features.value() < trees.features)
    throw Error(Code::kShapeMismatch, "the decision trees look at feature " + std::to_string(trees.features - 1))
        .cause("the rows have " + features.str());
  return Shape{c.dims("X")[0], Dim(trees.targets)};
}

void add_vote(const Trees& trees, const TreeVote& vote, double* sums, std::vector<bool>& has_vote) {
  const auto t = static_cast<size_t>(vote.target);
  if (trees.aggregate == Trees::kAverage || trees.aggregate == Trees::kSum || !has_vote[t])
    sums[t] = has_vote[t] ? sums[t] + vote.weight : vote.weight;
  else sums[t] = trees.aggregate == Trees::kMin ? std::min(sums[t], vote.weight) : std::max(sums[t], vote.weight);
  has_vote[t] = true;
}

void trees_reference(RefCall& c) {
  const Trees trees = trees_of(c.shapes().attributes());
  const int64_t rows = c.input("X").dims()[0], features = c.input("X").dims()[1];
  if (features < trees.features) throw Error(Code::kShapeMismatch, "DecisionTrees of " + c.input("X").type_string());
  const std::vector<double> x = doubles(c.input("X"));
  std::vector<double> y(static_cast<size_t>(rows * trees.targets));
  for (int64_t r = 0; r < rows; ++r) {
    double* sums = y.data() + r * trees.targets;
    std::vector<bool> has_vote(static_cast<size_t>(trees.targets));
    for (int32_t at : trees.roots) {
      poll_work();
      while (at >= 0) {
        const TreeNode& node = nth(trees.nodes, at);
        at = node.next(nth(x, r * features + node.feature));
      }
      for (const TreeVote& vote : trees.leaf(at)) add_vote(trees, vote, sums, has_vote);
    }
    for (int64_t t = 0; t < trees.targets; ++t) {
      if (trees.aggregate == Trees::kAverage && !trees.roots.empty())
        sums[t] /= static_cast<double>(trees.roots.size());
      if (!trees.base.empty()) sums[t] += nth(trees.base, t);
    }
  }
  store(c.output(), y);
}

}  // namespace

const OpDef decision_trees = op("DecisionTrees")
                                 .input("X", TypeSet{DType::kF16, DType::kF32, DType::kF64})
                                 .attr("aggregate", int64_t{Trees::kSum})
                                 .required_attr("targets", int64_t{0})
                                 .required_attr("roots", Ints{})
                                 .required_attr("features", Ints{})
                                 .required_attr("modes", Ints{})
                                 .required_attr("splits", Floats{})
                                 .required_attr("true_children", Ints{})
                                 .required_attr("false_children", Ints{})
                                 .attr("missing_is_true", Ints{})
                                 .required_attr("leaf_ends", Ints{})
                                 .required_attr("vote_targets", Ints{})
                                 .required_attr("vote_weights", Floats{})
                                 .attr("base_values", Floats{})
                                 .output("Y", same_type("X"))
                                 .shape(trees_shape)
                                 .reference(trees_reference)
                                 .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
