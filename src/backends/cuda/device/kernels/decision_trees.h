// Decision trees as their kernel reads them. The builder packs, the kernel checks.
#pragma once
#include "tensor/trees.h"

namespace kiln::cuda::kernels {

// int32 words: nodes [n, kTreeNodeWords], roots, leaf_ends, votes [n, kTreeVoteWords]; and float64 base values per target, or an invalid
// tensor. One element at least in each.
struct PackedTrees {
  Tensor nodes, roots, leaf_ends, votes, base;
};
PackedTrees pack_trees(const Trees& trees);  // throws Error where numbers are beyond 32 bits

}  // namespace kiln::cuda::kernels
