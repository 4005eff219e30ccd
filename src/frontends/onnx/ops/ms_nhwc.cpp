// com.microsoft NhwcConv and NhwcMaxPool: channels are the last axis of images, and of the filters of a convolution.
#include "base/error.h"
#include "frontends/onnx/ops/ms_activated.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

ir::Value* first(NodeImport& n, int input) { return n.add("Transpose", {n.in(input)}, {{"perm", Ints{0, 3, 1, 2}}}); }

void emit_last(NodeImport& n, ir::Value* y) { n.emit("Transpose", {y}, {{"perm", Ints{0, 2, 3, 1}}}); }

void require_images(const NodeImport& n) {
  if (n.rank() != 4) n.unsupported("images of rank " + std::to_string(n.rank()), "give images [n, h, w, c]");
}

void import_nhwc_conv(NodeImport& n) {
  require_images(n);
  const Attributes attributes = n.attributes(*find_op("Conv"), {"activation", "activation_params"});
  emit_last(n, n.add("Conv", {first(n, 0), first(n, 1), n.optional(2)}, attributes));
}

void import_nhwc_max_pool(NodeImport& n) {
  require_images(n);
  emit_last(n, n.add("MaxPool", {first(n, 0)}, n.attributes(*find_op("MaxPool"))));
}

}  // namespace

const OnnxOp ms_nhwc_conv{"com.microsoft.NhwcConv", {{1, import_nhwc_conv}}};
const OnnxOp ms_nhwc_max_pool{"com.microsoft.NhwcMaxPool", {{1, import_nhwc_max_pool}}};

}  // namespace kiln::onnx::ops
