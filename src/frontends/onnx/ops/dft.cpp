// DFT: the axis is an attribute in opset 17, and 1 when absent.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp dft{
    "DFT",
    {
        {17,
         [](NodeImport& n) {
           n.emit("DFT", {n.in(0), n.optional(1), n.scalar(DType::kI64, static_cast<double>(n.integer("axis", 1)))},
                  n.attributes({"axis"}));
         }},
        {20, import_as_is},
    }};

}  // namespace kiln::onnx::ops
