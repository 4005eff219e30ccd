// Operators of two operands: before opset 7 the second one is repeated only when `broadcast` says so, from dimension `axis` on.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

// `b` with as many trailing dimensions of one that its first dimension meets dimension `axis` of `a`.
ir::Value* aligned(NodeImport& n, ir::Value* a, ir::Value* b, int64_t axis) {
  if (!a->ranked() || !b->ranked())
    n.unsupported("the ranks of the inputs are not known", "export with opset 7 or newer");
  if (axis < 0) axis += a->rank();
  Ints axes;
  for (int64_t i = b->rank(); i < a->rank() - axis; ++i) axes.push_back(i);
  return axes.empty() ? b : n.add("Unsqueeze", {b, n.ints(axes)});
}

void import_broadcast(NodeImport& n) {
  const bool shifted = n.integer("broadcast", 0) != 0 && n.has_attr("axis");
  n.emit(n.op(), {n.in(0), shifted ? aligned(n, n.in(0), n.in(1), n.integer("axis")) : n.in(1)});
}

// Before opset 7 a slope for each channel lies along dimension 1.
void import_channel_slopes(NodeImport& n) {
  const bool channels = n.in(1)->ranked() && n.in(1)->rank() == 1 && !(n.in(1)->shape() == Shape{1});
  n.emit("PRelu", {n.in(0), channels ? aligned(n, n.in(0), n.in(1), 1) : n.in(1)});
}

}  // namespace

const OnnxOp add{"Add", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp div{"Div", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp equal{"Equal", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp greater{"Greater", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp less{"Less", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp logical_and{"And", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp logical_or{"Or", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp logical_xor{"Xor", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp mul{"Mul", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp pow{"Pow", {{1, import_broadcast}, {7, import_as_is}}};
const OnnxOp prelu{"PRelu", {{1, import_channel_slopes}, {7, import_as_is}}};
const OnnxOp sub{"Sub", {{1, import_broadcast}, {7, import_as_is}}};

}  // namespace kiln::onnx::ops
