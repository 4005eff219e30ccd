// Softmax: a flattened matrix before opset 13.
#include "frontends/onnx/ops/flattened.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp softmax{"Softmax", {{1, import_flattened}, {13, import_as_is}}};

}  // namespace kiln::onnx::ops
