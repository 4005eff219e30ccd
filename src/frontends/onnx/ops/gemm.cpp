// Gemm: before opset 7 an attribute allowed the third input to be repeated.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp gemm{
    "Gemm", {{1, [](NodeImport& n) { n.emit("Gemm", n.inputs(), n.attributes({"broadcast"})); }}, {7, import_as_is}}};

}  // namespace kiln::onnx::ops
