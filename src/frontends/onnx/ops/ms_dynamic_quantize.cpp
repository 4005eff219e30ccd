// com.microsoft DynamicQuantizeMatMul, MatMulIntegerToFloat, QuantizeLinear and DequantizeLinear.
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
  emit_scaled(n, {a[0], n.in(1), a[2], n.optional(3)}, a[1], n.in(2), n.optional(4));
}

void import_to_float(NodeImport& n) {
  emit_scaled(n, {n.in(0), n.in(1), n.optional(4), n.optional(5)}, n.in(2), n.in(3), n.optional(6));
}

}  // namespace

const OnnxOp ms_dequantize_linear{"com.microsoft.DequantizeLinear",
                                  {{1, [](NodeImport& n) { n.emit("DequantizeLinear", n.inputs(), n.attributes()); }}}};
const OnnxOp ms_dynamic_quantize_matmul{"com.microsoft.DynamicQuantizeMatMul", {{1, import_dynamic}}};
const OnnxOp ms_matmul_integer_to_float{"com.microsoft.MatMulIntegerToFloat", {{1, import_to_float}}};
const OnnxOp ms_quantize_linear{"com.microsoft.QuantizeLinear",
                                {{1, [](NodeImport& n) { n.emit("QuantizeLinear", n.inputs(), n.attributes()); }}}};

}  // namespace kiln::onnx::ops
