// Operations and bytes of nodes.
#include "api/work.h"

#include <set>

#include "base/index.h"

namespace kiln::api {
namespace {

struct Sizes {
  const ir::Node& node;
  const Numbers& numbers;

  std::optional<Dims> dims(const ir::Value* v) const {
    return v && v->is_tensor() && v->ranked() ? numbers(v->shape()) : std::nullopt;
  }
  static double product(const std::optional<Dims>& dims, size_t from = 0) {
    double count = dims ? 1 : 0;
    for (size_t i = from; dims && i < dims->size(); ++i) count *= static_cast<double>((*dims)[i]);
    return count;
  }
  double in(int i) const { return product(dims(node.input(i))); }
  double out() const { return product(dims(node.output())); }
  // Dimension `axis` of input i, counted from the end when negative; 1 when there is none.
  double dim(int i, int axis) const {
    const auto d = dims(node.input(i));
    const int at = d && axis < 0 ? axis + static_cast<int>(d->size()) : axis;
    return d && at >= 0 && at < static_cast<int>(d->size()) ? static_cast<double>(nth(*d, at)) : 1;
  }
  double per_first(int i) const { return product(dims(node.input(i)), 1); }
  double bytes(const ir::Value* v) const { return v && v->is_tensor() ? product(dims(v)) * bits(v->dtype()) / 8 : 0; }
};

double base_flops(const Sizes& s) {
  static const std::set<std::string, std::less<>> kMovement{
      "Reshape",   "Transpose", "Concat", "Split",    "Slice", "Gather",  "Identity", "Reformat",      "Squeeze",
      "Unsqueeze", "Flatten",   "Expand", "Tile",     "Pad",   "Shape",   "Constant", "DepthToSpace",  "SpaceToDepth",
      "Size",      "ScatterND", "Where",  "GatherND", "Range", "EyeLike", "Trilu",    "GatherElements"};
  const std::string& op = s.node.op_name();
  if (op == "Conv" || op == "CastConv" || op == "ConvInteger" || op == "DeformConv")
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
  if (kMovement.count(op)) return 0;
  return std::max(s.in(0), s.out());
}

}  // namespace

Work work_of(const ir::Node& node, const Numbers& numbers) {
  const Sizes s{node, numbers};
  Work work{base_flops(s) + static_cast<double>(node.post.size()) * s.out(), 0};
  for (const ir::Value* v : node.inputs()) work.bytes += s.bytes(v);
  for (const ir::Value* v : node.outputs()) work.bytes += s.bytes(v);
  return work;
}

Work work_of(const ir::Graph& graph, const Numbers& numbers) {
  Work sum;
  for (const auto& node : graph.nodes()) {
    const Work one = work_of(*node, numbers);
    sum.flops += one.flops;
    sum.bytes += one.bytes;
  }
  return sum;
}

}  // namespace kiln::api
