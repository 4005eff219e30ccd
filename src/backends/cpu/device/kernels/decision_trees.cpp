// Kernel "decision_trees": rows of features x [rows, features] through every tree; what the leaves vote for makes y [rows, targets].
// Sums are in double precision, in the order of the trees.
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/tree_parameters.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kTogether = 8;       // rows that walk down a tree at once
constexpr int64_t kBlockRows = 64;     // rows that see a tree before the next one
constexpr int64_t kBlockSums = 16384;  // of a block, beyond its first rows

// The number of type T that compares with every number of that type as `split` does.
template <class T> T comparable(double split, TreeNode::Mode mode) {
  const T near = static_cast<T>(split);
  const auto value = static_cast<double>(near);
  if (value == split || std::isnan(split)) return near;
  if (mode == TreeNode::kEqual || mode == TreeNode::kNotEqual) return std::numeric_limits<T>::quiet_NaN();
  const bool below = mode == TreeNode::kLessOrEqual || mode == TreeNode::kGreater;
  if (below ? value < split : value > split) return near;
  return std::nextafter(near, below ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity());
}

template <int kMode, class T> bool holds(int mode, T x, T split) {
  switch (kMode < TreeNode::kModeCount ? kMode : mode) {
    case TreeNode::kLessOrEqual: return x <= split;
    case TreeNode::kLess: return x < split;
    case TreeNode::kGreaterOrEqual: return x >= split;
    case TreeNode::kGreater: return x > split;
    case TreeNode::kEqual: return x == split;
    default: return x != split;
  }
}

// The nodes as rows of type T meet them.
template <class T> class Walk {
 public:
  Walk() = default;
  explicit Walk(const std::vector<TreeNode>& nodes) {
    for (const TreeNode& n : nodes) {
      nodes_.push_back({comparable<T>(n.split, n.mode),
                        static_cast<uint32_t>(n.feature) << 1 | (n.missing_is_true ? 1u : 0u),
                        {n.if_false, n.if_true}});
      modes_.push_back(n.mode);
    }
    const bool alike =
        std::all_of(nodes.begin(), nodes.end(), [&](const TreeNode& n) { return n.mode == nodes[0].mode; });
    mode_ = !nodes.empty() && alike ? nodes[0].mode : TreeNode::kModeCount;
  }

  // The leaves that `count` rows reach.
  void run(const T* rows, int64_t features, int64_t count, int32_t root, int32_t* leaves) const noexcept {
    switch (mode_) {
      case TreeNode::kLessOrEqual: return walk<TreeNode::kLessOrEqual>(rows, features, count, root, leaves);
      case TreeNode::kLess: return walk<TreeNode::kLess>(rows, features, count, root, leaves);
      default: return walk<TreeNode::kModeCount>(rows, features, count, root, leaves);
    }
  }

 private:
  struct Node {
    T split;
    uint32_t feature;  // times two, plus one where NaN takes the true branch
    std::array<int32_t, 2> next;
  };

  template <int kMode>
  void walk(const T* rows, int64_t features, int64_t count, int32_t root, int32_t* leaves) const noexcept {
    std::fill(leaves, leaves + count, root);
    for (bool moves = root >= 0; moves;) {
      moves = false;
      for (int64_t r = 0; r < count; ++r) {
        if (leaves[r] < 0) continue;
        const auto at = static_cast<size_t>(leaves[r]);
        const Node& node = nodes_[at];
        const T x = rows[r * features + (node.feature >> 1)];
        // Which way it goes nobody can foresee: no branch hangs on it.
        const bool missing = ((node.feature & 1) != 0) & (x != x);
        const bool yes = missing | holds<kMode>(kMode < TreeNode::kModeCount ? 0 : modes_[at], x, node.split);
        leaves[r] = node.next[yes];
        moves |= leaves[r] >= 0;
      }
    }
  }

  std::vector<Node> nodes_;
  std::vector<uint8_t> modes_;
  int mode_ = TreeNode::kModeCount;  // of all nodes; kModeCount: they differ
};

class DecisionTrees final : public DenseKernel {
 public:
  explicit DecisionTrees(Trees trees) : trees_(std::move(trees)), floats_(trees_.nodes), doubles_(trees_.nodes) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1 || call.inputs[0].dtype != call.outputs[0].dtype ||
        (call.inputs[0].dtype != DType::kF32 && call.inputs[0].dtype != DType::kF64))
      return {Code::kMalformedPlan, "decision trees have other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (x.rank != 2 || y.rank != 2 || x.dims[0] != y.dims[0] || y.dims[1] != trees_.targets ||
        x.dims[1] < trees_.features)
      return {Code::kShapeMismatch, "the operands of decision trees do not fit each other"};
    if (call.workspace_size < workspace_dense(call))
      return {Code::kMalformedPlan, "the workspace of decision trees is too small"};
    return kOkStatus;
  }

  int64_t block_rows() const { return std::clamp(kBlockSums / trees_.targets, kTogether, kBlockRows); }
  // Of a thread: the sums of a block, and whether anything was added to each.
  int64_t block_bytes() const { return align_up(block_rows() * trees_.targets * int64_t{sizeof(double) + 1}, 64); }

  size_t workspace_dense(const KernelCall&) override {
    return static_cast<size_t>(block_bytes()) * static_cast<size_t>(thread_count());
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    if (call.inputs[0].dtype == DType::kF32) run(call, floats_);
    else run(call, doubles_);
    return kOkStatus;
  }

  template <class T> void run(const KernelCall& call, const Walk<T>& walk) const noexcept {
    const int64_t rows = call.inputs[0].dims[0], features = call.inputs[0].dims[1];
    const auto* x = static_cast<const T*>(call.inputs[0].data);
    auto* y = static_cast<T*>(call.outputs[0].data);
    const auto trees = static_cast<double>(trees_.roots.size());
    const double depth = 1 + std::log2(1 + static_cast<double>(trees_.nodes.size()) / std::max(trees, 1.0));
    const double work = 1.5 * static_cast<double>(rows) * trees * depth;
    parallel_pieces(
        thread_count(), work, (rows + kTogether - 1) / kTogether, [&](int64_t begin, int64_t end, int part) {
          auto* sums = reinterpret_cast<double*>(static_cast<uint8_t*>(call.workspace) + part * block_bytes());
          const int64_t last = std::min(end * kTogether, rows);
          for (int64_t first = begin * kTogether; first < last; first += block_rows()) {
            const int64_t count = std::min(block_rows(), last - first);
            block(walk, x + first * features, features, count, sums);
            finish(sums, count, y + first * trees_.targets);
          }
        });
  }

  template <class T>
  void block(const Walk<T>& walk, const T* rows, int64_t features, int64_t count, double* sums) const noexcept {
    const int64_t targets = trees_.targets;
    auto* has_vote = reinterpret_cast<uint8_t*>(sums + block_rows() * targets);
    std::fill(sums, sums + count * targets, 0.0);
    std::fill(has_vote, has_vote + count * targets, uint8_t{0});
    const bool adds = trees_.aggregate == Trees::kSum || trees_.aggregate == Trees::kAverage;
    for (int32_t root : trees_.roots)
      for (int64_t first = 0; first < count; first += kTogether) {
        int32_t leaves[kTogether];
        const int64_t some = std::min(kTogether, count - first);
        walk.run(rows + first * features, features, some, root, leaves);
        for (int64_t r = 0; r < some; ++r)
          for (const TreeVote& vote : trees_.leaf(leaves[r])) {
            const int64_t at = (first + r) * targets + vote.target;
            if (adds) sums[at] += vote.weight;
            else if (has_vote[at] == 0) sums[at] = vote.weight, has_vote[at] = 1;
            else
              sums[at] =
                  trees_.aggregate == Trees::kMin ? std::min(sums[at], vote.weight) : std::max(sums[at], vote.weight);
          }
      }
  }

  template <class T> void finish(const double* sums, int64_t count, T* y) const noexcept {
    const bool averages = trees_.aggregate == Trees::kAverage && !trees_.roots.empty();
    const double divisor = averages ? static_cast<double>(trees_.roots.size()) : 1;
    for (int64_t r = 0; r < count; ++r, sums += trees_.targets, y += trees_.targets)
      for (int64_t t = 0; t < trees_.targets; ++t)
        y[t] = static_cast<T>(sums[t] / divisor + (trees_.base.empty() ? 0 : trees_.base[static_cast<size_t>(t)]));
  }

  Trees trees_;
  Walk<float> floats_;
  Walk<double> doubles_;
};

}  // namespace

std::unique_ptr<Kernel> make_decision_trees(const Attributes& p) {
  return std::make_unique<DecisionTrees>(read_trees(p));
}

}  // namespace kiln::cpu::kernels
