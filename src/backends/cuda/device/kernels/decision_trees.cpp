// Kernel "decision_trees": rows of features [rows, features] through every tree; what the leaves vote for makes [rows, targets]. Inputs: x,
// and nodes, roots, ends of leaves, votes and base values (may be absent) as pack_trees makes them, all constant, which must be made of the
// trees that the parameters hold. float16, float32 and float64; sums are float64.
#include "backends/cuda/device/kernels/decision_trees.h"

#include <cstring>

#include "backends/cuda/device/cu/decision_trees.h"
#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/tree_parameters.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int32_t kMostFeatures = INT32_MAX / 16;

template <class T> Tensor words_of(const std::vector<T>& items) {
  const size_t bytes = std::max<size_t>(items.size(), 1) * sizeof(T);
  Tensor t = Tensor::allocate(DType::kI32, {static_cast<int64_t>(bytes / sizeof(int32_t))});
  std::memset(t.mutable_data(), 0, bytes);
  if (!items.empty()) std::memcpy(t.mutable_data(), items.data(), items.size() * sizeof(T));
  return t;
}

const char* tree_suffix(DType type) {
  switch (type) {
    case DType::kF16: return "_f16";
    case DType::kF32: return "_f32";
    case DType::kF64: return "_f64";
    default: return nullptr;
  }
}

// A constant that holds the same bytes: the GPU follows what it says.
bool is_made_of(const TensorView& view, const Tensor& packed) {
  if (!packed.valid()) return !view.present();
  return view.present() && view.host && view.dtype == packed.dtype() && view.elements() == packed.size() &&
         std::memcmp(view.host, packed.data(), static_cast<size_t>(packed.bytes())) == 0;
}

class DecisionTrees final : public DenseKernel {
 public:
  DecisionTrees(Gpu& gpu, Trees trees) : DenseKernel(gpu), trees_(std::move(trees)), packed_(pack_trees(trees_)) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 6 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "decision_trees has six operands and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const char* suffix = tree_suffix(x.dtype);
    if (!suffix || y.dtype != x.dtype) return {Code::kMalformedPlan, "there are no decision trees of this type"};
    if (x.rank != 2 || y.rank != 2 || x.dims[0] != y.dims[0] || x.dims[1] < trees_.features ||
        y.dims[1] != trees_.targets)
      return {Code::kShapeMismatch, "the rows of decision trees have other sizes"};
    const Tensor* packed[] = {&packed_.nodes, &packed_.roots, &packed_.leaf_ends, &packed_.votes, &packed_.base};
    for (size_t i = 0; i < 5; ++i)
      if (!is_made_of(call.inputs[i + 1], *packed[i]))
        return {Code::kMalformedPlan, "the constants of decision trees are not made of their parameters"};
    arguments_.features = x.dims[1];
    arguments_.trees = static_cast<int32_t>(trees_.roots.size());
    arguments_.targets = static_cast<int32_t>(trees_.targets);
    arguments_.aggregate = trees_.aggregate;
    launch_ = {gpu_.function("decision_trees", "decision_trees" + std::string(suffix))};
    launch_.threads = kTreeThreads;
    launch_.grid[0] = blocks_for(x.dims[0], 1);
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    DecisionTreeArguments& a = arguments_;
    a.nodes = pointer_of<const PackedTreeNode>(call.inputs[1]);
    a.roots = pointer_of<const int32_t>(call.inputs[2]);
    a.leaf_ends = pointer_of<const int32_t>(call.inputs[3]);
    a.votes = pointer_of<const PackedTreeVote>(call.inputs[4]);
    a.base = call.inputs[5].present() ? pointer_of<const double>(call.inputs[5]) : nullptr;
    const void* x = call.inputs[0].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, a, x, y);
  }

  Trees trees_;
  PackedTrees packed_;
  DecisionTreeArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

PackedTrees pack_trees(const Trees& trees) {
  if (trees.features > kMostFeatures || trees.votes.size() > INT32_MAX || trees.roots.size() > INT32_MAX ||
      trees.targets > INT32_MAX - kTreeThreads)
    throw Error(Code::kUnsupported, "there are too many features, targets or votes for the kernel of decision trees");
  std::vector<PackedTreeNode> nodes;
  for (const TreeNode& n : trees.nodes)
    nodes.push_back({n.split,
                     static_cast<uint32_t>(n.feature) << 4 | static_cast<uint32_t>(n.mode) << 1 | n.missing_is_true,
                     n.if_true, n.if_false, 0});
  std::vector<PackedTreeVote> votes;
  for (const TreeVote& v : trees.votes) votes.push_back({v.weight, v.target, 0});
  PackedTrees packed{words_of(nodes),
                     words_of(trees.roots),
                     words_of(std::vector<int32_t>(trees.leaf_ends.begin(), trees.leaf_ends.end())),
                     words_of(votes),
                     {}};
  if (!trees.base.empty()) packed.base = Tensor::of<double>({static_cast<int64_t>(trees.base.size())}, trees.base);
  return packed;
}

std::unique_ptr<Kernel> make_decision_trees(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<DecisionTrees>(gpu, read_trees(parameters));
}

}  // namespace kiln::cuda::kernels
