// Dropout: in inference the identity, with a mask that is true everywhere.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

bool known_zero(const ir::Value* value) {
  return value && value->constant() && value->constant()->size() == 1 && value->constant()->at(0) == 0;
}

void import_dropout(NodeImport& n) {
  if (n.optional(2) && !known_zero(n.optional(2)) && !known_zero(n.optional(1)))
    n.unsupported("training_mode is not known to be false", "export the model for inference");
  if (!n.wants(1)) return n.emit("Identity", {n.in(0)});
  ir::Value* y = n.result(0, "Identity", {n.in(0)});
  n.yield({y, n.result(1, "ConstantOfShape", {n.add("Shape", {n.in(0)})}, {{"value", Tensor::of<bool>({1}, {true})}})});
}

}  // namespace

const OnnxOp dropout{"Dropout", {{1, import_dropout}}};

}  // namespace kiln::onnx::ops
