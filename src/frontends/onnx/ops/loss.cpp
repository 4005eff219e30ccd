// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: the definitions of the operators' documentation, by simpler operators.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

// Result 0 of the node. `log_probability` is [N,C,d…], input 1 holds classes [N,d…], input 2 may hold weights [C].
ir::Value* loss(NodeImport& n, ir::Value* log_probability) {
  const DType type = log_probability->dtype();
  ir::Value* classes = n.add("Cast", {n.in(1)}, {{"to", std::string("int64")}});
  ir::Value* ignored = nullptr;
  if (n.has_attr("ignore_index")) {
    ignored = n.add("Equal", {classes, n.scalar(DType::kI64, static_cast<double>(n.integer("ignore_index")))});
    classes = n.add("Where", {ignored, n.scalar(DType::kI64, 0), classes});
  }
  ir::Value* axis = n.ints({1});
  ir::Value* chosen =
      n.add("GatherElements", {log_probability, n.add("Unsqueeze", {classes, axis})}, {{"axis", int64_t{1}}});
  chosen = n.add("Squeeze", {chosen, axis});
  ir::Value* weight = n.optional(2) ? n.add("Gather", {n.in(2), classes}, {{"axis", int64_t{0}}}) : nullptr;
  if (ignored) weight = n.add("Where", {ignored, n.scalar(type, 0), weight ? weight : n.scalar(type, 1)});
  const std::string reduction = n.text("reduction", "mean");
  if (reduction == "none")
    return weight ? n.result(0, "Mul", {n.add("Neg", {chosen}), weight}) : n.result(0, "Neg", {chosen});
  ir::Value* each = n.add("Neg", {weight ? n.add("Mul", {chosen, weight}) : chosen});
  const Attributes all{{"keepdims", int64_t{0}}};
  if (reduction == "sum") return n.result(0, "ReduceSum", {each}, all);
  if (reduction != "mean") n.invalid("reduction is '" + reduction + "'");
  if (!weight) return n.result(0, "ReduceMean", {each}, all);
  return n.result(0, "Div", {n.add("ReduceSum", {each}, all), n.add("ReduceSum", {weight}, all)});
}

void import_cross_entropy(NodeImport& n) {
  ir::Value* log_probability = n.result(1, "LogSoftmax", {n.in(0)}, {{"axis", int64_t{1}}});
  n.yield({loss(n, log_probability), log_probability});
}

}  // namespace

const OnnxOp negative_log_likelihood_loss{"NegativeLogLikelihoodLoss",
                                          {{12, [](NodeImport& n) { n.yield({loss(n, n.in(0))}); }}}};
const OnnxOp softmax_cross_entropy_loss{"SoftmaxCrossEntropyLoss", {{12, import_cross_entropy}}};

}  // namespace kiln::onnx::ops
