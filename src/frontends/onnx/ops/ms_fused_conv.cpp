// com.microsoft FusedConv: a convolution, a sum and an activation.
#include "base/error.h"
#include "frontends/onnx/ops/ms_activated.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_fused_conv(NodeImport& n) {
  const Attributes attributes = n.attributes(*find_op("Conv"), {"activation", "activation_params"});
  const std::string activation = n.text("activation");
  const Floats parameters = n.reals("activation_params");
  std::vector<ir::Value*> inputs{n.in(0), n.in(1), n.optional(2)};
  if (!n.optional(3)) return emit_activated(n, "Conv", inputs, attributes, activation, parameters);
  emit_activated(n, "Add", {n.add("Conv", inputs, attributes), n.in(3)}, {}, activation, parameters);
}

}  // namespace

const OnnxOp ms_fused_conv{"com.microsoft.FusedConv", {{1, import_fused_conv}}};

}  // namespace kiln::onnx::ops
