// Dropout: the ratio is an attribute before opset 12, where the node never drops anything.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp dropout{"Dropout", {
    {7, [](NodeImport& n) { n.emit("Dropout", {n.in(0)}); }},
    {12, import_as_is},
}};

}  // namespace kiln::onnx::ops
