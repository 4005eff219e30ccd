// BatchNormalization: before opset 14 a node that gives statistics is one of training. Exporters left these outputs in; where nobody reads
// them, inference is meant.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_inference(NodeImport& n) {
  if (n.integer("spatial", 1) != 1)
    n.unsupported("spatial=0 (statistics of each position)", "export with opset 9 or newer");
  bool trains = false;
  for (int i = 1; i < n.output_count(); ++i) trains = trains || n.is_read(i);
  if (trains && n.integer("is_test", 0) == 0)
    n.unsupported("the node is in training mode: its statistics are read", "export the model for inference");
  ir::Value* y = n.result(0, "BatchNormalization", n.inputs(), n.attributes({"spatial", "is_test", "consumed_inputs"}));
  n.yield({y, n.in(3), n.in(4), n.in(3), n.in(4)});  // the statistics stay what they are
}

}  // namespace

const OnnxOp batch_normalization{"BatchNormalization", {{1, import_inference}, {14, import_as_is}}};

}  // namespace kiln::onnx::ops
