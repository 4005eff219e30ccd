// Pad: amounts and value are attributes before opset 11.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_attributes(NodeImport& n) {
  ir::Value* value = n.has_attr("value") ? n.scalar(n.dtype(), n.real("value", 0)) : nullptr;
  n.emit("Pad", {n.in(0), n.ints(n.ints("pads")), value}, n.attributes({"pads", "value"}));
}

}  // namespace

const OnnxOp pad{"Pad", {{2, import_attributes}, {11, import_as_is}}};

}  // namespace kiln::onnx::ops
