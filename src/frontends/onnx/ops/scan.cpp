// Scan: a loop over slices. Before opset 9 axis 0 is a batch, and sequences may differ in length.
#include "base/error.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

EdgeType slice_type(EdgeType type, int64_t axis) {
  if (!type.tensor.ranked) return type;
  const auto rank = static_cast<int64_t>(type.tensor.shape.size());
  type.tensor.shape.erase(type.tensor.shape.begin() + normalize_axis(axis, rank));
  return type;
}

void import_scan(NodeImport& n) {
  const int64_t scans = n.integer("num_scan_inputs");
  if (scans < 1 || scans > n.input_count()) n.invalid("num_scan_inputs is " + std::to_string(scans));
  const auto states = n.input_count() - static_cast<int>(scans);
  const Ints axes = n.ints("scan_input_axes");
  std::vector<EdgeType> formals;
  for (int i = 0; i < n.input_count(); ++i) {
    const auto k = static_cast<size_t>(i - states);
    formals.push_back(i < states ? n.in(i)->type() : slice_type(n.in(i)->type(), k < axes.size() ? axes[k] : 0));
  }
  n.emit_regions("Scan", n.inputs(), n.attributes({"body"}), {"body"}, formals);
}

}  // namespace

const OnnxOp scan{"Scan", {{9, import_scan}}};

}  // namespace kiln::onnx::ops
