// Upsample, which Resize replaced in opset 10.
#include "frontends/onnx/ops/old_resize.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_scales_attribute(NodeImport& n) {
  const Floats scales = n.reals("scales");
  emit_old_resize(n,
                  n.constant(Tensor::of<float>({static_cast<int64_t>(scales.size())}, {scales.begin(), scales.end()})));
}

}  // namespace

const OnnxOp upsample{"Upsample",
                      {{7, import_scales_attribute}, {9, [](NodeImport& n) { emit_old_resize(n, n.in(1)); }}}};

}  // namespace kiln::onnx::ops
