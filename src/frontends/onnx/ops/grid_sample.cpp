// GridSample: modes have other names before opset 20.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_old_modes(NodeImport& n) {
  Attributes attributes = n.attributes();
  const std::string mode = n.text("mode", "bilinear");
  attributes.set("mode", mode == "bilinear" ? std::string("linear") : mode == "bicubic" ? std::string("cubic") : mode);
  n.emit("GridSample", n.inputs(), std::move(attributes));
}

}  // namespace

const OnnxOp grid_sample{"GridSample", {{16, import_old_modes}, {20, import_as_is}}};

}  // namespace kiln::onnx::ops
