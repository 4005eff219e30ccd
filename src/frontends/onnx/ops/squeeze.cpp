// Squeeze: axes are an attribute before opset 13.
#include "frontends/onnx/ops/axes.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp squeeze{"Squeeze", {{1, import_axes_attribute}, {13, import_as_is}}};

}  // namespace kiln::onnx::ops
