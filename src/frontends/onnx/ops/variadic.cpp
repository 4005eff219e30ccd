// Sum, Max, Min and Mean of any number of inputs: of very many in groups, so that the formula of each has a bounded length.
#include <algorithm>

#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

constexpr size_t kMostInputs = 256;

// Groups of groups, until one group is left.
std::vector<ir::Value*> grouped(NodeImport& n, std::string_view op, std::vector<ir::Value*> values) {
  while (values.size() > kMostInputs) {
    std::vector<ir::Value*> results;
    for (size_t i = 0; i < values.size(); i += kMostInputs) {
      const size_t end = std::min(i + kMostInputs, values.size());
      results.push_back(
          n.add(op, {values.begin() + static_cast<ptrdiff_t>(i), values.begin() + static_cast<ptrdiff_t>(end)}));
    }
    values = std::move(results);
  }
  return values;
}

void import_grouped(NodeImport& n) {
  if (n.inputs().size() <= kMostInputs) return import_as_is(n);
  n.emit(n.op(), grouped(n, n.op(), n.inputs()));
}

void import_mean(NodeImport& n) {
  if (n.inputs().size() <= kMostInputs) return import_as_is(n);
  ir::Value* sum = n.add("Sum", grouped(n, "Sum", n.inputs()));
  n.emit("Div", {sum, n.scalar(n.dtype(), static_cast<double>(n.inputs().size()))});
}

}  // namespace

const OnnxOp max_op{"Max", {{6, import_grouped}}};
const OnnxOp mean{"Mean", {{6, import_mean}}};
const OnnxOp min_op{"Min", {{6, import_grouped}}};
const OnnxOp sum{"Sum", {{6, import_grouped}}};

}  // namespace kiln::onnx::ops
