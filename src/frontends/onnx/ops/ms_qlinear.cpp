// com.microsoft QLinearAdd, QLinearMul, QLinearConcat, QLinearLeakyRelu, QLinearSigmoid, QLinearSoftmax, QLinearWhere, QLinearReduceMean,
// QLinearAveragePool, QLinearGlobalAveragePool and QGemm: an operator between DequantizeLinear and QuantizeLinear; and QLinearConv, whose
// images may have their channels last.
#include <optional>

#include "base/error.h"
#include "frontends/onnx/one_value.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

// Input `i` as numbers, by the scale and the zero point that follow it.
ir::Value* dequantized(NodeImport& n, int i) {
  return n.add("DequantizeLinear", {n.in(i), one_value(n, i + 1), optional_value(n, i + 2)});
}

// Gives the node's result, quantised by the scale input `i` and the zero point that follows it; without one it is uint8.
void emit_quantized(NodeImport& n, ir::Value* value, int i) {
  n.emit("QuantizeLinear", {value, one_value(n, i), optional_value(n, i + 1)});
}

void emit_binary(NodeImport& n, const char* op) {
  emit_quantized(n, n.add(op, {dequantized(n, 0), dequantized(n, 3)}), 6);
}

void import_qlinear_concat(NodeImport& n) {
  std::vector<ir::Value*> parts;
  for (int i = 2; i + 1 < n.input_count(); i += 3) parts.push_back(dequantized(n, i));
  emit_quantized(n, n.add("Concat", std::move(parts), {{"axis", n.integer("axis")}}), 0);
}

void import_qlinear_leaky_relu(NodeImport& n) {
  emit_quantized(n, n.add("LeakyRelu", {dequantized(n, 0)}, {{"alpha", n.real("alpha", 0.01)}}), 3);
}

void import_qlinear_sigmoid(NodeImport& n) { emit_quantized(n, n.add("Sigmoid", {dequantized(n, 0)}), 3); }

// Before opset 13 Softmax took all axes from its own on as one.
void import_qlinear_softmax(NodeImport& n) {
  const int64_t axis = normalize_axis(n.integer("axis", -1), n.rank());
  if (n.integer("opset", 13) < 13 && axis != n.rank() - 1)
    n.unsupported("the softmax of opset " + std::to_string(n.integer("opset", 13)) + " over several axes");
  emit_quantized(n, n.add("Softmax", {dequantized(n, 0)}, {{"axis", axis}}), 3);
}

void import_qlinear_where(NodeImport& n) {
  emit_quantized(n, n.add("Where", {n.in(0), dequantized(n, 1), dequantized(n, 4)}), 7);
}

void import_qlinear_reduce_mean(NodeImport& n) {
  ir::Value* axes = n.has_attr("axes") ? n.ints(n.ints("axes")) : nullptr;
  emit_quantized(n, n.add("ReduceMean", {dequantized(n, 0), axes}, {{"keepdims", n.integer("keepdims", 1)}}), 3);
}

// Permutations of images whose channels are last.
struct Turns {
  Ints to_first{0}, to_last{0};
};
std::optional<Turns> turns_of(const NodeImport& n) {
  if (n.integer("channels_last", 0) == 0) return std::nullopt;
  const int64_t rank = n.rank();
  Turns turns;
  turns.to_first.push_back(rank - 1);
  for (int64_t i = 1; i + 1 < rank; ++i) turns.to_first.push_back(i);
  for (int64_t i = 2; i < rank; ++i) turns.to_last.push_back(i);
  turns.to_last.push_back(1);
  return turns;
}

ir::Value* turned(NodeImport& n, ir::Value* x, const Ints& perm) { return n.add("Transpose", {x}, {{"perm", perm}}); }

// The pooling adds whole numbers, which float32 does exactly in any order, and its mean is scaled.
void emit_pooled(NodeImport& n, const char* op, Attributes attributes) {
  ir::Value* const scale = one_value(n, 1);
  ir::Value* x = n.add("DequantizeLinear", {n.in(0), n.scalar(scale->dtype(), 1), optional_value(n, 2)});
  const auto turns = turns_of(n);
  if (turns) x = turned(n, x, turns->to_first);
  ir::Value* y = n.add("Mul", {n.add(op, {x}, std::move(attributes)), scale});
  emit_quantized(n, turns ? turned(n, y, turns->to_last) : y, 3);
}

void import_qlinear_average_pool(NodeImport& n) {
  emit_pooled(n, "AveragePool", n.attributes(*find_op("AveragePool"), {"channels_last"}));
}

void import_qlinear_conv(NodeImport& n) {
  std::vector<ir::Value*> inputs = n.inputs();
  Attributes attributes = n.attributes(*find_op("QLinearConv"), {"channels_last"});
  const auto turns = turns_of(n);
  if (!turns) return n.emit("QLinearConv", std::move(inputs), std::move(attributes));
  inputs[0] = turned(n, n.in(0), turns->to_first);
  n.emit("Transpose", {n.add("QLinearConv", std::move(inputs), std::move(attributes))}, {{"perm", turns->to_last}});
}

void import_qlinear_global_average_pool(NodeImport& n) { emit_pooled(n, "GlobalAveragePool", {}); }

// a, b, their scales and zero points, then c in int32, whose scale is alpha times those of a and b; then scale and zero point of the
// result, which is float without them. One scale per column of b may be given.
void import_qgemm(NodeImport& n) {
  const bool turned = n.integer("transB", 0) != 0;
  const bool by_column = n.in(4)->ranked() && n.in(4)->rank() == 1;
  const double alpha = n.real("alpha", 1);
  ir::Value* a = dequantized(n, 0);
  ir::Value* b = by_column
                     ? n.add("DequantizeLinear", {n.in(3), n.in(4), n.optional(5)}, {{"axis", int64_t{turned ? 0 : 1}}})
                     : dequantized(n, 3);
  Attributes attributes{{"alpha", alpha}, {"transA", n.integer("transA", 0)}, {"transB", int64_t{turned}}};
  ir::Value* c = nullptr;
  if (n.optional(6)) {
    ir::Value* scale = n.add("Mul", {n.in(1), n.in(4)});
    if (alpha != 1) scale = n.add("Mul", {scale, n.scalar(scale->dtype(), alpha)});
    c = n.add("Mul", {n.add("Cast", {n.in(6)}, {{"to", std::string("float32")}}), scale});
  }
  if (!n.optional(7)) return n.emit("Gemm", {a, b, c}, std::move(attributes));
  emit_quantized(n, n.add("Gemm", {a, b, c}, std::move(attributes)), 7);
}

}  // namespace

const OnnxOp ms_qgemm{"com.microsoft.QGemm", {{1, import_qgemm}}};
const OnnxOp ms_qlinear_add{"com.microsoft.QLinearAdd", {{1, [](NodeImport& n) { emit_binary(n, "Add"); }}}};
const OnnxOp ms_qlinear_average_pool{"com.microsoft.QLinearAveragePool", {{1, import_qlinear_average_pool}}};
const OnnxOp ms_qlinear_concat{"com.microsoft.QLinearConcat", {{1, import_qlinear_concat}}};
const OnnxOp ms_qlinear_conv{"com.microsoft.QLinearConv", {{1, import_qlinear_conv}}};
const OnnxOp ms_qlinear_global_average_pool{"com.microsoft.QLinearGlobalAveragePool",
                                            {{1, import_qlinear_global_average_pool}}};
const OnnxOp ms_qlinear_leaky_relu{"com.microsoft.QLinearLeakyRelu", {{1, import_qlinear_leaky_relu}}};
const OnnxOp ms_qlinear_mul{"com.microsoft.QLinearMul", {{1, [](NodeImport& n) { emit_binary(n, "Mul"); }}}};
const OnnxOp ms_qlinear_reduce_mean{"com.microsoft.QLinearReduceMean", {{1, import_qlinear_reduce_mean}}};
const OnnxOp ms_qlinear_sigmoid{"com.microsoft.QLinearSigmoid", {{1, import_qlinear_sigmoid}}};
const OnnxOp ms_qlinear_softmax{"com.microsoft.QLinearSoftmax", {{1, import_qlinear_softmax}}};
const OnnxOp ms_qlinear_where{"com.microsoft.QLinearWhere", {{1, import_qlinear_where}}};

}  // namespace kiln::onnx::ops
