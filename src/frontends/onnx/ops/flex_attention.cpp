// ai.onnx.preview.FlexAttention: attention whose scores and probabilities pass through graphs of the model.
#include "frontends/onnx/ops/ops.h"
#include "frontends/onnx/tensor_proto.h"

namespace kiln::onnx::ops {
namespace {

int64_t heads_of(NodeImport& n, int input) {
  if (n.rank(input) != 4)
    n.invalid("input " + std::to_string(input) + " has rank " + std::to_string(n.rank(input)), "it needs 4");
  const auto heads = n.in(input)->shape()[1].constant();
  if (!heads || *heads < 1) n.unsupported("the number of heads is not known", "give the inputs shapes");
  return *heads;
}

// Each of the heads stands for `share` heads of the queries.
ir::Value* shared_heads(NodeImport& n, ir::Value* x, int64_t heads, int64_t share) {
  if (share == 1) return x;
  ir::Value* rows = n.add("Unsqueeze", {x, n.ints(Ints{2})});
  ir::Value* all = n.add("Expand", {rows, n.ints(Ints{1, 1, share, 1, 1})});
  ir::Value* shape = n.add("Shape", {x});
  const auto part = [&](int64_t begin, int64_t end) {
    return n.add("Slice", {shape, n.ints(Ints{begin}), n.ints(Ints{end})});
  };
  return n.add("Reshape",
               {all, n.add("Concat", {part(0, 1), n.ints(Ints{heads * share}), part(2, 4)}, {{"axis", int64_t{0}}})});
}

ir::Value* through(NodeImport& n, const char* graph, ir::Value* x) {
  if (!n.has_attr(graph)) return x;
  const std::vector<ir::Value*> results = n.inline_graph(graph, {x});
  if (results.size() != 1) n.invalid(std::string(graph) + " has " + std::to_string(results.size()) + " results, not 1");
  if (results[0]->dtype() != x->dtype())
    n.invalid(std::string(graph) + " gives " + std::string(name(results[0]->dtype())) + ", not " +
              std::string(name(x->dtype())));
  return results[0];
}

ir::Value* as_type(NodeImport& n, ir::Value* x, DType type) {
  return x->dtype() == type ? x : n.add("Cast", {x}, {{"to", std::string(name(type))}});
}

// One over the root of the size of a head.
ir::Value* root_of_scale(NodeImport& n, DType type) {
  if (n.has_attr("scale")) return n.scalar(type, std::sqrt(n.real("scale", 1)));
  const auto size = n.in(0)->shape()[3].constant();
  if (!size || *size < 1) n.unsupported("the size of a head is not known", "give the attribute scale");
  return n.scalar(type, std::pow(static_cast<double>(*size), -0.25));
}

void import_flex_attention(NodeImport& n) {
  const int64_t heads = heads_of(n, 0), kept = heads_of(n, 1);
  if (heads_of(n, 2) != kept || heads % kept != 0) n.invalid("the heads of queries, keys and values do not fit");
  const DType type = n.dtype();
  const DType usual = type == DType::kF64 ? type : DType::kF32;
  const DType precision = n.has_attr("softmax_precision") ? dtype_from_onnx(n.integer("softmax_precision")) : usual;
  ir::Value* root = root_of_scale(n, type);
  ir::Value* keys = n.add("Transpose", {shared_heads(n, n.in(1), kept, heads / kept)}, {{"perm", Ints{0, 1, 3, 2}}});
  ir::Value* scores = n.add("MatMul", {n.add("Mul", {n.in(0), root}), n.add("Mul", {keys, root})});
  scores = through(n, "score_mod", as_type(n, scores, precision));
  ir::Value* shares = through(n, "prob_mod", n.add("Softmax", {scores}, {{"axis", int64_t{-1}}}));
  ir::Value* values = as_type(n, shared_heads(n, n.in(2), kept, heads / kept), precision);
  if (precision == type) return n.emit("MatMul", {shares, values});
  n.emit("Cast", {n.add("MatMul", {shares, values})}, {{"to", std::string(name(type))}});
}

}  // namespace

const OnnxOp flex_attention{"ai.onnx.preview.FlexAttention", {{1, import_flex_attention}}};

}  // namespace kiln::onnx::ops
