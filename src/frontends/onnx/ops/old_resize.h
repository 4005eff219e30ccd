// Resizing before opset 11: coordinates are those of the output times the scale; nearest rounds down where an axis grows, and up where it
// shrinks (ONNX backend test resize_downsample_nearest of opset 10, and the runtimes).
#pragma once
#include "frontends/onnx/node_import.h"

namespace kiln::onnx::ops {

inline Attributes old_resize(const std::string& mode, const char* rounding) {
  return {{"mode", mode},
          {"coordinate_transformation_mode", std::string("asymmetric")},
          {"nearest_mode", std::string(rounding)}};
}

// Axes of scales that only running can tell are resized twice: first those that grow, then those that shrink.
inline void emit_old_resize(NodeImport& n, ir::Value* scales) {
  const std::string mode = n.text("mode", "nearest");
  const Tensor* known = scales->constant();
  bool grows = !known, shrinks = !known;
  for (int64_t i = 0; known && i < known->size(); ++i) {
    grows = grows || known->at(i) > 1;
    shrinks = shrinks || known->at(i) < 1;
  }
  if (mode != "nearest" || !grows || !shrinks) {
    n.emit("Resize", {n.in(0), nullptr, scales}, old_resize(mode, mode == "nearest" && shrinks ? "ceil" : "floor"));
    return;
  }
  ir::Value* one = n.constant(Tensor::of<float>({1}, {1}));
  ir::Value* grown = n.add("Resize", {n.in(0), nullptr, n.add("Max", {scales, one})}, old_resize(mode, "floor"));
  n.emit("Resize", {grown, nullptr, n.add("Min", {scales, one})}, old_resize(mode, "ceil"));
}

}  // namespace kiln::onnx::ops
