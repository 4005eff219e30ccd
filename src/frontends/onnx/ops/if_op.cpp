// If: both branches take all that either uses from outside.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp if_op{
    "If", {{1, [](NodeImport& n) { n.emit_regions("If", {n.in(0)}, {}, {"then_branch", "else_branch"}, {}); }}}};

}  // namespace kiln::onnx::ops
