// Dropout: in inference the identity, with a mask that is true everywhere.
#include "base/hash.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

bool known_zero(const ir::Value* value) {
  return value && value->constant() && value->constant()->size() == 1 && value->constant()->at(0) == 0;
}

// Before opset 10 the mask has the type of the data.
void import_inference(NodeImport& n) {
  if (!n.wants(1)) return n.emit("Identity", {n.in(0)});
  ir::Value* y = n.result(0, "Identity", {n.in(0)});
  Tensor kept = Tensor::allocate(n.opset() < 10 ? n.dtype() : DType::kBool, {1});
  kept.set(0, 1);
  n.yield({y, n.result(1, "ConstantOfShape", {n.add("Shape", {n.in(0)})}, {{"value", kept}})});
}

// Without a seed, every node has numbers of its own, and every run the same.
void import_dropout(NodeImport& n) {
  if (!n.optional(2) || known_zero(n.optional(2)) || known_zero(n.optional(1))) return import_inference(n);
  const auto seed = n.has_attr("seed") ? n.integer("seed") : static_cast<int64_t>(hash128(n.name()).low);
  n.emit("Dropout", n.inputs(), {{"seed", seed & INT64_C(0xffffffff)}});
}

}  // namespace

const OnnxOp dropout{"Dropout", {{1, import_inference}, {12, import_dropout}}};

}  // namespace kiln::onnx::ops
