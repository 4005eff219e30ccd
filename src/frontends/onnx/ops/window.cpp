// HannWindow, HammingWindow, BlackmanWindow: a0 - a1 cos(2 pi i / d) + a2 cos(4 pi i / d), where d is the size, less one when symmetric.
#include <numbers>

#include "frontends/onnx/ops/ops.h"
#include "frontends/onnx/tensor_proto.h"

namespace kiln::onnx::ops {
namespace {

void import_window(NodeImport& n, double a0, double a1, double a2) {
  const DType type = DType::kF32;
  ir::Value* size = n.add("Cast", {n.in(0)}, {{"to", std::string("float32")}});
  ir::Value* period = n.integer("periodic", 1) ? size : n.add("Sub", {size, n.scalar(type, 1)});
  ir::Value* index = n.add("Range", {n.scalar(type, 0), size, n.scalar(type, 1)});
  ir::Value* angle = n.add("Div", {n.add("Mul", {index, n.scalar(type, 2 * std::numbers::pi)}), period});
  ir::Value* y = n.add("Sub", {n.scalar(type, a0), n.add("Mul", {n.add("Cos", {angle}), n.scalar(type, a1)})});
  if (a2 != 0)
    y = n.add("Add", {y, n.add("Mul", {n.add("Cos", {n.add("Mul", {angle, n.scalar(type, 2)})}), n.scalar(type, a2)})});
  n.emit("Cast", {y}, {{"to", std::string(name(dtype_from_onnx(n.integer("output_datatype", 1))))}});
}

}  // namespace

const OnnxOp hann_window{"HannWindow", {{17, [](NodeImport& n) { import_window(n, 0.5, 0.5, 0); }}}};
const OnnxOp hamming_window{"HammingWindow", {{17, [](NodeImport& n) { import_window(n, 25.0 / 46, 21.0 / 46, 0); }}}};
const OnnxOp blackman_window{"BlackmanWindow", {{17, [](NodeImport& n) { import_window(n, 0.42, 0.5, 0.08); }}}};

}  // namespace kiln::onnx::ops
