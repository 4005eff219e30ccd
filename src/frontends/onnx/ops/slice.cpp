// Slice: bounds are attributes before opset 10.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_bounds(NodeImport& n) {
  if (!n.has_attr("starts") || !n.has_attr("ends")) n.invalid("starts or ends are missing");
  n.emit("Slice", {n.in(0), n.ints(n.ints("starts")), n.ints(n.ints("ends")),
                   n.has_attr("axes") ? n.ints(n.ints("axes")) : nullptr});
}

}  // namespace

const OnnxOp slice{"Slice", {{1, import_bounds}, {10, import_as_is}}};

}  // namespace kiln::onnx::ops
