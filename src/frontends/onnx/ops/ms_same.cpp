// com.microsoft operators that ONNX or Kiln has as they are: GridSample, Inverse and Trilu.
#include "base/error.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_grid_sample(NodeImport& n) {
  const std::string mode = n.text("mode", "bilinear");
  n.emit("GridSample", n.inputs(),
         {{"mode", mode == "bilinear"  ? std::string("linear")
                   : mode == "bicubic" ? std::string("cubic")
                                       : mode},
          {"padding_mode", n.text("padding_mode", "zeros")},
          {"align_corners", n.integer("align_corners", 0)}});
}

}  // namespace

const OnnxOp ms_grid_sample{"com.microsoft.GridSample", {{1, import_grid_sample}}};
const OnnxOp ms_inverse{"com.microsoft.Inverse", {{1, import_as_is}}};
const OnnxOp ms_trilu{"com.microsoft.Trilu",
                      {{1, [](NodeImport& n) { n.emit("Trilu", n.inputs(), {{"upper", n.integer("upper", 1)}}); }}}};

}  // namespace kiln::onnx::ops
