// CausalConvWithState: a depthwise convolution over the past and present steps, and the steps that the next call needs.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_causal_conv(NodeImport& n) {
  if (n.rank(0) != 3 || n.rank(1) != 3) n.invalid("input and weight are not of rank 3");
  const Shape& weight = n.in(1)->shape();
  if (!weight[0].is_constant() || !weight[2].is_constant())
    n.unsupported("the size of the weight is not known", "export the model with static weights");
  const int64_t channels = weight[0].value(), past = weight[2].value() - 1;
  if (past < 0) n.invalid("the weight has no steps");
  ir::Value* padded = n.optional(3) ? n.add("Concat", {n.in(3), n.in(0)}, {{"axis", int64_t{2}}})
                                    : n.add("Pad", {n.in(0), n.ints(Ints{past, 0}), nullptr, n.ints(Ints{2})});
  const std::string activation = n.text("activation", "none");
  std::vector<ir::Value*> operands{padded, n.in(1)};
  if (n.optional(2)) operands.push_back(n.in(2));
  const Attributes group{{"group", channels}};
  ir::Value* result = nullptr;
  if (activation == "none") result = n.result(0, "Conv", std::move(operands), group);
  else if (activation == "silu" || activation == "swish")
    result = n.result(0, "Swish", {n.add("Conv", std::move(operands), group)});
  else n.invalid("activation is '" + activation + "'");
  ir::Value* state = n.result(
      1, "Slice", {padded, n.ints(Ints{past == 0 ? INT64_MAX : -past}), n.ints(Ints{INT64_MAX}), n.ints(Ints{2})});
  n.yield({result, state});
}

}  // namespace

const OnnxOp causal_conv_with_state{"CausalConvWithState", {{27, import_causal_conv}}};

}  // namespace kiln::onnx::ops
