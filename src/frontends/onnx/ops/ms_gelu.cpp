// com.microsoft Gelu, BiasGelu, FastGelu, QuickGelu and BiasSplitGelu.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

ir::Value* biased(NodeImport& n) { return n.optional(1) ? n.add("Add", {n.in(0), n.in(1)}) : n.in(0); }

void import_fast_gelu(NodeImport& n) { n.emit("Gelu", {biased(n)}, {{"approximate", std::string("tanh")}}); }

// The left half of the last axis times Gelu of the right half.
void import_bias_split_gelu(NodeImport& n) {
  const auto halves = n.add_many("Split", {biased(n)}, {{"axis", int64_t{-1}}, {"num_outputs", int64_t{2}}}, 2);
  n.emit("Mul", {halves[0], n.add("Gelu", {halves[1]})});
}

}  // namespace

const OnnxOp ms_bias_gelu{"com.microsoft.BiasGelu", {{1, [](NodeImport& n) { n.emit("Gelu", {biased(n)}); }}}};
const OnnxOp ms_bias_split_gelu{"com.microsoft.BiasSplitGelu", {{1, import_bias_split_gelu}}};
const OnnxOp ms_fast_gelu{"com.microsoft.FastGelu", {{1, import_fast_gelu}}};
const OnnxOp ms_gelu{"com.microsoft.Gelu", {{1, [](NodeImport& n) { n.emit("Gelu", {n.in(0)}); }}}};
const OnnxOp ms_quick_gelu{
    "com.microsoft.QuickGelu",
    {{1, [](NodeImport& n) { n.emit("Swish", {n.in(0)}, {{"alpha", n.real("alpha", 1.702)}}); }}}};

}  // namespace kiln::onnx::ops
