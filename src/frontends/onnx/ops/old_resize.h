// Resizing before opset 11: coordinates are those of the output times the scale, and nearest rounds down.
#pragma once
#include "frontends/onnx/node_import.h"

namespace kiln::onnx::ops {

inline void emit_old_resize(NodeImport& n, ir::Value* scales) {
  Attributes attributes;
  attributes.set("mode", n.text("mode", "nearest"));
  attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
  attributes.set("nearest_mode", std::string("floor"));
  n.emit("Resize", {n.in(0), nullptr, scales}, std::move(attributes));
}

}  // namespace kiln::onnx::ops
