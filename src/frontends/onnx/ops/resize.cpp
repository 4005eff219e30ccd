// Resize: opset 10 knows scales alone; opsets 11 and 12 give an empty tensor for what is absent.
#include "frontends/onnx/ops/old_resize.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_without_empty(NodeImport& n) {
  std::vector<ir::Value*> inputs = n.inputs();
  for (size_t i = 1; i < inputs.size(); ++i)
    if (inputs[i] && inputs[i]->ranked() && inputs[i]->shape() == Shape{0}) inputs[i] = nullptr;
  n.emit("Resize", std::move(inputs), n.attributes());
}

}  // namespace

const OnnxOp resize{"Resize", {{10, [](NodeImport& n) { emit_old_resize(n, n.in(1)); }}, {11, import_without_empty}}};

}  // namespace kiln::onnx::ops
