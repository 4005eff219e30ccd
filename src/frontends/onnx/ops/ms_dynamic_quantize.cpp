// com.microsoft DynamicQuantizeMatMul, DynamicQuantizeLSTM, MatMulIntegerToFloat, QuantizeLinear and DequantizeLinear.
#include "frontends/onnx/one_value.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

// Gives the node's result: the integer product times the product of the scales, plus a bias that may be absent.
void emit_scaled(NodeImport& n, std::vector<ir::Value*> operands, ir::Value* a_scale, ir::Value* b_scale,
                 ir::Value* bias) {
  ir::Value* sums = n.add("Cast", {n.add("MatMulInteger", std::move(operands))}, {{"to", std::string("float32")}});
  ir::Value* scale = n.add("Mul", {a_scale, b_scale});
  if (!bias) return n.emit("Mul", {sums, scale});
  n.emit("Add", {n.add("Mul", {sums, scale}), bias});
}

void import_dynamic(NodeImport& n) {
  const auto a = n.add_many("DynamicQuantizeLinear", {n.in(0)}, {}, 3);
  emit_scaled(n, {a[0], n.in(1), a[2], n.optional(3)}, a[1], one_or_each_column(n, 2, *n.in(1)), n.optional(4));
}

void import_to_float(NodeImport& n) {
  emit_scaled(n, {n.in(0), n.in(1), optional_value(n, 4), n.optional(5)}, one_value(n, 2),
              one_or_each_column(n, 3, *n.in(1)), n.optional(6));
}

// Weights [directions, inputs, gates] with a scale and zero point for each direction, or for each gate too, as LSTM takes them.
ir::Value* recurrent_weights(NodeImport& n, int input, int scale) {
  ir::Value* w = n.in(input);
  if (n.rank(input) != 3 || !w->shape()[1].is_constant())
    n.unsupported("weights of unknown size", "give '" + w->name() + "' the shape [directions, inputs, gates]");
  const int64_t terms = w->shape()[1].value();
  const bool by_gate = n.rank(scale) == 2;
  const auto parameter = [&](ir::Value* x) { return by_gate ? n.add("Unsqueeze", {x, n.ints(Ints{2})}) : x; };
  return n.add(
      "DequantizeLinear",
      {n.add("Transpose", {w}, {{"perm", Ints{0, 2, 1}}}), parameter(n.in(scale)), parameter(n.in(scale + 1))},
      {{"axis", int64_t{by_gate ? 2 : 0}}, {"block_size", by_gate ? std::max<int64_t>(terms, 1) : int64_t{0}}});
}

// The sums are computed in float32: inputs and states are not rounded to eight bits on the way.
void import_dynamic_lstm(NodeImport& n) {
  n.emit("LSTM",
         {n.in(0), recurrent_weights(n, 1, 8), recurrent_weights(n, 2, 10), n.optional(3), n.optional(4), n.optional(5),
          n.optional(6), n.optional(7)},
         n.attributes(*find_op("LSTM")));
}

}  // namespace

const OnnxOp ms_dynamic_quantize_lstm{"com.microsoft.DynamicQuantizeLSTM", {{1, import_dynamic_lstm}}};
const OnnxOp ms_dequantize_linear{"com.microsoft.DequantizeLinear",
                                  {{1, [](NodeImport& n) { n.emit("DequantizeLinear", n.inputs(), n.attributes()); }}}};
const OnnxOp ms_dynamic_quantize_matmul{"com.microsoft.DynamicQuantizeMatMul", {{1, import_dynamic}}};
const OnnxOp ms_matmul_integer_to_float{"com.microsoft.MatMulIntegerToFloat", {{1, import_to_float}}};
const OnnxOp ms_quantize_linear{"com.microsoft.QuantizeLinear",
                                {{1, [](NodeImport& n) { n.emit("QuantizeLinear", n.inputs(), n.attributes()); }}}};

}  // namespace kiln::onnx::ops
