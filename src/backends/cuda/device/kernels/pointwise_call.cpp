// The operands of a pointwise kernel.
#include "backends/cuda/device/kernels/pointwise_call.h"

#include "backends/cuda/device/kernels/pointwise_code.h"

namespace kiln::cuda::kernels {
namespace {

bool fits(const TensorView& v, const TensorView& out) {
  const int shift = out.rank - v.rank;
  for (int i = 0; i < v.rank; ++i)
    if (v.dims[i] != 1 && v.dims[i] != out.dims[i + shift]) return false;
  return shift >= 0;
}

}  // namespace

Status check_broadcast(const KernelCall& call) {
  const TensorView& out = call.outputs[0];
  for (const auto& list : {call.inputs, call.outputs})
    for (const TensorView& v : list)
      if (!v.present() || !is_plain(v)) return {Code::kMalformedPlan, "a pointwise kernel takes plain tensors"};
  for (const TensorView& v : call.inputs)
    if (!fits(v, out)) return {Code::kShapeMismatch, "an operand does not broadcast to the result"};
  for (const TensorView& v : call.outputs)
    if (!same_dims(v, out)) return {Code::kShapeMismatch, "results differ in shape"};
  return kOkStatus;
}

Status check_pointwise(const ScalarProgram& program, const KernelCall& call) {
  if (call.outputs.size() != program.outputs.size() || call.inputs.size() != program.input_count ||
      call.outputs.empty())
    return {Code::kMalformedPlan, "the program has other operands"};
  for (const auto& list : {call.inputs, call.outputs})
    for (const TensorView& v : list)
      if (!v.present() || !is_pointwise_type(v.dtype))
        return {Code::kMalformedPlan, "a pointwise kernel takes plain tensors of numbers"};
  KILN_RETURN_IF_ERROR(check_broadcast(call));
  for (const ScalarInstruction& i : program.code)
    if (i.op == ScalarOp::kInput && i.type != scalar_type_of(call.inputs[static_cast<size_t>(i.integer)].dtype))
      return {Code::kMalformedPlan, "an operand of the program has another type"};
  return kOkStatus;
}

PointwiseLoop pointwise_loop(const KernelCall& call) {
  PointwiseLoop result;
  const TensorView& out = call.outputs[0];
  for (const TensorView& v : call.outputs) result.operands.push_back(&v);
  for (const TensorView& v : call.inputs) result.operands.push_back(&v);
  Loop loop{Dims(out.dims, out.dims + out.rank), {}};
  for (const TensorView* v : result.operands)
    loop.strides.push_back(broadcast_strides(v->rank, v->dims, v->strides, static_cast<size_t>(out.rank)));
  result.parts = parts(merged(loop));
  return result;
}

void group_lanes(Loop& loop, int64_t lanes, uint32_t& inner) {
  if (loop.dims.empty()) return;
  inner = static_cast<uint32_t>(loop.dims.back());
  loop.dims.back() = ceil_div(loop.dims.back(), lanes);
  for (Dims& s : loop.strides) s.back() *= lanes;
}

}  // namespace kiln::cuda::kernels
