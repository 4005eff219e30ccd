// RoiAlign: before opset 16 coordinates are not shifted by half a pixel.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_unshifted(NodeImport& n) {
  Attributes attributes = n.attributes();
  attributes.set("coordinate_transformation_mode", std::string("output_half_pixel"));
  n.emit("RoiAlign", n.inputs(), std::move(attributes));
}

}  // namespace

const OnnxOp roi_align{"RoiAlign", {{10, import_unshifted}, {16, import_as_is}}};

}  // namespace kiln::onnx::ops
