// What a library's kernel leaves to do to its results.
#include "backends/cuda/device/kernels/finish_call.h"

namespace kiln::cuda::kernels {

Status FinishCall::plan_launch(const TensorView& y, int64_t columns, const std::string& module) {
  const char* suffix = float_suffix(y.dtype);
  if (!suffix) return {Code::kMalformedPlan, "results of this type cannot be finished"};
  arguments_ = {};
  arguments_.count = y.elements();
  arguments_.columns = std::max<int64_t>(columns, 1);
  arguments_.epilogue.in_words = 1;
  launch_.function = gpu_.function(module, "finish" + std::string(suffix));
  launch_.threads = kFinishThreads;
  launch_.grid[0] = blocks_for(y.elements(), 8 * kFinishRuns * kFinishThreads);
  return kOkStatus;
}

Status FinishCall::plan(const TensorView& y, int64_t columns, const EpilogueParameters& left, bool bias,
                        bool residual) {
  launch_ = {};
  if (left.activation == Activation::kNone && !bias && !residual) return kOkStatus;
  KILN_RETURN_IF_ERROR(plan_launch(y, columns, "finish"));
  EpilogueArguments& e = arguments_.epilogue;
  e.activation = left.activation;
  e.alpha = left.alpha;
  e.beta = left.beta;
  e.residual_after = left.residual_after;
  return kOkStatus;
}

Status FinishCall::launch(Stream& stream, const void* bias, const void* residual, void* y) const noexcept {
  if (!launch_.function) return kOkStatus;
  FinishArguments a = arguments_;
  a.epilogue.bias = static_cast<const float*>(bias);
  a.epilogue.residual = residual;
  return gpu_.launch(stream, launch_, a, y);
}

Status FinishCall::plan_program(const KernelCall& call, int64_t columns) {
  KILN_RETURN_IF_ERROR(plan_launch(call.outputs[0], columns, module_of("finish", call)));
  arguments_.epilogue.second_stride = columns;
  return read_program(call, columns, arguments_.epilogue);
}

Status FinishCall::launch_program(Stream& stream, const KernelCall& call, const void* bias) const noexcept {
  FinishArguments a = arguments_;
  EpilogueArguments& e = a.epilogue;
  e.bias = static_cast<const float*>(bias);
  e.residual = call.inputs[3].data;
  void* y = call.outputs[0].data;
  KILN_RETURN_IF_ERROR(bind_program(call, e));
  e.in_words = is_aligned(y, kWord) && is_aligned(e.residual, kWord) && is_aligned(e.second, kWord);
  return gpu_.launch(stream, launch_, a, y);
}

}  // namespace kiln::cuda::kernels
