// BatchNormalization: before opset 14 a node with one output is one of inference.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_inference(NodeImport& n) {
  if (n.integer("spatial", 1) != 1)
    n.unsupported("spatial=0 (statistics of each position)", "export with opset 9 or newer");
  if (n.output_count() > 1) n.unsupported("the node is in training mode", "export the model for inference");
  n.emit("BatchNormalization", n.inputs(), n.attributes({"spatial", "is_test"}));
}

}  // namespace

const OnnxOp batch_normalization{"BatchNormalization", {{1, import_inference}, {14, import_as_is}}};

}  // namespace kiln::onnx::ops
