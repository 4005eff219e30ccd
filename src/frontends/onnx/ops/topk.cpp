// TopK: k is an attribute before opset 10.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp topk{
    "TopK",
    {
        {1, [](NodeImport& n) { n.emit("TopK", {n.in(0), n.ints({n.integer("k")})}, n.attributes({"k"})); }},
        {10, import_as_is},
    }};

}  // namespace kiln::onnx::ops
