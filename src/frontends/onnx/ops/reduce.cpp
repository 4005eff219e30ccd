// Reductions: axes are an attribute before opset 18, of ReduceSum before 13.
#include "frontends/onnx/ops/axes.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp reduce_l1{"ReduceL1", {{1, import_axes_attribute}, {18, import_as_is}}};
const OnnxOp reduce_l2{"ReduceL2", {{1, import_axes_attribute}, {18, import_as_is}}};
const OnnxOp reduce_log_sum{"ReduceLogSum", {{1, import_axes_attribute}, {18, import_as_is}}};
const OnnxOp reduce_log_sum_exp{"ReduceLogSumExp", {{1, import_axes_attribute}, {18, import_as_is}}};
const OnnxOp reduce_max{"ReduceMax", {{1, import_axes_attribute}, {18, import_as_is}}};
const OnnxOp reduce_mean{"ReduceMean", {{1, import_axes_attribute}, {18, import_as_is}}};
const OnnxOp reduce_min{"ReduceMin", {{1, import_axes_attribute}, {18, import_as_is}}};
const OnnxOp reduce_prod{"ReduceProd", {{1, import_axes_attribute}, {18, import_as_is}}};
const OnnxOp reduce_sum{"ReduceSum", {{1, import_axes_attribute}, {13, import_as_is}}};
const OnnxOp reduce_sum_square{"ReduceSumSquare", {{1, import_axes_attribute}, {18, import_as_is}}};

}  // namespace kiln::onnx::ops
