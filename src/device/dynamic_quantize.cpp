// The operands of the kernels "dynamic_quantize" of every device.
#include "device/dynamic_quantize.h"

#include "device/views.h"

namespace kiln {

Status check_dynamic_quantize(const KernelCall& call) noexcept {
  if (call.inputs.size() != 1 || call.outputs.empty() || call.outputs.size() > 3 || call.inputs[0].dtype != DType::kF32)
    return {Code::kMalformedPlan, "dynamic_quantize has other operands"};
  constexpr DType kTypes[] = {DType::kU8, DType::kF32, DType::kU8};
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    const TensorView& out = call.outputs[i];
    if ((i == 0 || out.present()) && out.dtype != kTypes[i])
      return {Code::kMalformedPlan, "dynamic_quantize has results of other types"};
    if (out.present() && (i == 0 ? !same_dims(out, call.inputs[0]) : out.elements() != 1))
      return {Code::kShapeMismatch, "a result of dynamic_quantize has another shape"};
  }
  return kOkStatus;
}

}  // namespace kiln
