// Arguments of the ensembles of decision trees. Host and GPU.
#pragma once
#include <cstdint>

namespace kiln::cuda {

inline constexpr int kTreeThreads =
    128;  // of a block, which has a row: trees that are walked at once, and targets that are summed at once

// As kiln::TreeNode; `look` is the feature times 16, plus the comparison times 2, plus one where NaN takes the true branch.
struct PackedTreeNode {
  double split;
  uint32_t look;
  int32_t if_true, if_false;
  int32_t unused;
};
struct PackedTreeVote {
  double weight;
  int32_t target, unused;
};
inline constexpr int kTreeNodeWords = sizeof(PackedTreeNode) / 4, kTreeVoteWords = sizeof(PackedTreeVote) / 4;

struct DecisionTreeArguments {
  const PackedTreeNode* nodes;
  const int32_t* roots;
  const int32_t* leaf_ends;
  const PackedTreeVote* votes;
  const double* base;  // per target, or null
  int64_t features;    // of a row
  int32_t trees, targets;
  int32_t aggregate;  // as kiln::Trees numbers them
};

}  // namespace kiln::cuda
