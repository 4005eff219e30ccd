// Loop: the body takes the round, the condition, and the values that go from round to round.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_loop(NodeImport& n) {
  EdgeType round, condition;
  round.tensor.dtype = DType::kI64;
  condition.tensor.dtype = DType::kBool;
  std::vector<EdgeType> formals{round, condition};
  std::vector<ir::Value*> inputs{n.optional(0), n.optional(1)};
  for (int i = 2; i < n.input_count(); ++i) {
    inputs.push_back(n.in(i));
    formals.push_back(n.in(i)->type());
  }
  n.emit_regions("Loop", std::move(inputs), {}, {"body"}, formals);
}

}  // namespace

const OnnxOp loop{"Loop", {{1, import_loop}}};

}  // namespace kiln::onnx::ops
