// Clip: bounds are attributes before opset 11.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

ir::Value* bound(NodeImport& n, std::string_view name) {
  return n.has_attr(name) ? n.scalar(n.dtype(), n.real(name, 0)) : nullptr;
}

}  // namespace

const OnnxOp clip{"Clip",
                  {
                      {6, [](NodeImport& n) { n.emit("Clip", {n.in(0), bound(n, "min"), bound(n, "max")}); }},
                      {11, import_as_is},
                  }};

}  // namespace kiln::onnx::ops
