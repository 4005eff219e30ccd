// Ensembles of decision trees: a block has a row. Its threads walk down a tree each, and then sum up what the leaves say of a target each,
// in the order of the trees.
#include "backends/cuda/device/cu/decision_trees.h"

#include "backends/cuda/device/cu/common.cuh"
#include "tensor/trees.h"

namespace kiln::cuda {
namespace {

__device__ double widened(double x) { return x; }
__device__ double widened(float x) { return x; }
__device__ double widened(__half x) { return to_float(x); }
template <class T> __device__ T narrowed(double x) {
  if constexpr (sizeof(T) == 2) return __double2half(x);
  else return static_cast<T>(x);
}

__device__ bool holds(const PackedTreeNode& n, double x) {
  if ((n.look & 1) && x != x) return true;
  switch (n.look >> 1 & 7) {
    case TreeNode::kLessOrEqual: return x <= n.split;
    case TreeNode::kLess: return x < n.split;
    case TreeNode::kGreaterOrEqual: return x >= n.split;
    case TreeNode::kGreater: return x > n.split;
    case TreeNode::kEqual: return x == n.split;
    default: return x != n.split;
  }
}

template <class T> __device__ int32_t leaf_of(const DecisionTreeArguments& a, const T* row, int32_t at) {
  while (at >= 0) {
    const PackedTreeNode n = a.nodes[at];
    at = holds(n, widened(row[n.look >> 4])) ? n.if_true : n.if_false;
  }
  return -1 - at;
}

struct TargetSum {
  double value = 0;
  bool has_vote = false;
  __device__ void add(int32_t aggregate, double weight) {
    if (!has_vote) value = weight;
    else if (aggregate == Trees::kMin) value = weight < value ? weight : value;
    else if (aggregate == Trees::kMax) value = value < weight ? weight : value;
    else value += weight;
    has_vote = true;
  }
};

template <class T> __device__ void decision_trees(const DecisionTreeArguments& a, const T* x, T* y) {
  begin_kernel();
  __shared__ int32_t leaves[kTreeThreads];
  const T* row = x + int64_t{blockIdx.x} * a.features;
  for (int32_t target0 = 0; target0 < a.targets; target0 += kTreeThreads) {
    const auto target = target0 + static_cast<int32_t>(threadIdx.x);
    TargetSum sum;
    for (int32_t tree0 = 0; tree0 < a.trees; tree0 += kTreeThreads) {
      const int32_t count = min(a.trees - tree0, kTreeThreads);
      __syncthreads();
      if (static_cast<int32_t>(threadIdx.x) < count) leaves[threadIdx.x] = leaf_of(a, row, a.roots[tree0 + threadIdx.x]);
      __syncthreads();
      if (target >= a.targets) continue;
      for (int32_t i = 0; i < count; ++i) {
        const int32_t leaf = leaves[i], end = a.leaf_ends[leaf];
        for (int32_t v = leaf == 0 ? 0 : a.leaf_ends[leaf - 1]; v < end; ++v)
          if (a.votes[v].target == target) sum.add(a.aggregate, a.votes[v].weight);
      }
    }
    if (target >= a.targets) continue;
    if (a.aggregate == Trees::kAverage && a.trees > 0) sum.value /= a.trees;
    if (a.base) sum.value += a.base[target];
    y[int64_t{blockIdx.x} * a.targets + target] = narrowed<T>(sum.value);
  }
}

}  // namespace

#define KILN_TREES(name, type)                                                                        \
  extern "C" __global__ void __launch_bounds__(kTreeThreads)                                         \
      decision_trees_##name(const __grid_constant__ DecisionTreeArguments a, const type* x, type* y) { \
    decision_trees(a, x, y);                                                                          \
  }
KILN_TREES(f16, __half)
KILN_TREES(f32, float)
KILN_TREES(f64, double)

}  // namespace kiln::cuda
