// Scatter, the old name of ScatterElements.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp scatter{
    "Scatter", {{9, [](NodeImport& n) { n.emit("ScatterElements", n.inputs(), {{"axis", n.integer("axis", 0)}}); }}}};

}  // namespace kiln::onnx::ops
