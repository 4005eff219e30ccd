// Operations and bytes of nodes.
#include "target/workload.h"

#include <algorithm>
#include <set>
#include <vector>

#include "base/index.h"

namespace kiln {
namespace {

// An operand whose size is known; absent ones, and those of other kinds, have no dimensions.
struct Operand {
  std::optional<Dims> dims;
  DType type = DType::kInvalid;
};

double product(const std::optional<Dims>& dims, size_t from = 0) {
  double count = dims ? 1 : 0;
  for (size_t i = from; dims && i < dims->size(); ++i) count *= static_cast<double>((*dims)[i]);
  return count;
}

struct Sizes {
  const ir::Node& node;
  std::vector<Operand> inputs, outputs;

  const std::optional<Dims>& dims(int i) const {
    static const std::optional<Dims> none;
    return i < static_cast<int>(inputs.size()) ? nth(inputs, i).dims : none;
  }
  double in(int i) const { return product(dims(i)); }
  double out() const { return outputs.empty() ? 0 : product(outputs[0].dims); }
  // Dimension `axis` of input i, counted from the end when negative; 1 when there is none.
  double dim(int i, int axis) const {
    const auto& d = dims(i);
    const int at = d && axis < 0 ? axis + static_cast<int>(d->size()) : axis;
    return d && at >= 0 && at < static_cast<int>(d->size()) ? static_cast<double>(nth(*d, at)) : 1;
  }
  double per_first(int i) const { return product(dims(i), 1); }
};

double base_flops(const Sizes& s) {
  static const std::set<std::string, std::less<>> kMovement{
      "Reshape",   "Transpose", "Concat", "Split",    "Slice", "Gather",  "Identity", "Reformat",      "Squeeze",
      "Unsqueeze", "Flatten",   "Expand", "Tile",     "Pad",   "Shape",   "Constant", "DepthToSpace",  "SpaceToDepth",
      "Size",      "ScatterND", "Where",  "GatherND", "Range", "EyeLike", "Trilu",    "GatherElements"};
  const std::string& op = s.node.op_name();
  if (op == "Conv" || op == "CastConv" || op == "ConvExcite" || op == "ConvInteger" || op == "DeformConv" ||
      op == "ScaledConv")
    return 2 * s.out() * s.per_first(1);
  if (op == "QLinearConv") return 2 * s.out() * s.per_first(3);
  if (op == "ConvTranspose") return 2 * s.in(0) * s.per_first(1);
  if (op == "ExpandDepthwise") return 2 * s.in(0) * s.dim(1, 0) + 2 * s.out() * s.per_first(2);
  if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul") return 2 * s.out() * s.dim(0, -1);
  if (op == "Gemm") {
    const auto it = s.node.attributes.find("transA");
    const bool turned = it && std::holds_alternative<int64_t>(*it) && std::get<int64_t>(*it) != 0;
    return 2 * s.out() * s.dim(0, turned ? -2 : -1);
  }
  if (op == "Attention") return 4 * s.out() * s.dim(1, -2);
  if (op == "LSTM" || op == "GRU" || op == "RNN") return 2 * s.dim(0, 0) * s.dim(0, 1) * (s.in(1) + s.in(2));
  if (op == "RecurrentProjected") return 2 * s.dim(0, 0) * s.dim(0, 1) * s.in(1);
  if (kMovement.count(op)) return 0;
  return std::max(s.in(0), s.out());
}

Workload workload_of(const Sizes& s) {
  Workload work{base_flops(s) + static_cast<double>(s.node.post.size()) * s.out(), 0};
  for (const auto* list : {&s.inputs, &s.outputs})
    for (const Operand& o : *list) work.bytes += product(o.dims) * bits(o.type) / 8;
  return work;
}

}  // namespace

Workload workload_of(const ir::Node& node, const DimNumbers& numbers) {
  const auto operand = [&](const ir::Value* v) {
    return v && v->is_tensor() && v->ranked() ? Operand{numbers(v->shape()), v->dtype()} : Operand();
  };
  Sizes s{node, {}, {}};
  for (const ir::Value* v : node.inputs()) s.inputs.push_back(operand(v));
  for (const ir::Value* v : node.outputs()) s.outputs.push_back(operand(v));
  return workload_of(s);
}

Workload workload_of(const ir::Graph& graph, const DimNumbers& numbers) {
  Workload sum;
  for (const auto& node : graph.nodes()) {
    const Workload one = workload_of(*node, numbers);
    sum.flops += one.flops;
    sum.bytes += one.bytes;
  }
  return sum;
}

Workload workload_of(const Problem& problem) {
  const auto operand = [](const Argument& a) { return a.present && a.ranked ? Operand{a.opt, a.dtype} : Operand(); };
  Sizes s{*problem.node, {}, {}};
  for (const Argument& a : problem.inputs) s.inputs.push_back(operand(a));
  for (const Argument& a : problem.outputs) s.outputs.push_back(operand(a));
  return workload_of(s);
}

}  // namespace kiln
