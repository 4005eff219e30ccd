// What products of bytes do with their sums: checks of operands.
#include "backends/cuda/device/kernels/sum_call.h"

namespace kiln::cuda::kernels {
namespace {

constexpr size_t kFixedInputs = 3;  // before the operands of steps
constexpr int64_t kRun = 8;         // results that a thread stores at once

bool is_vector(const TensorView& v, DType type, int64_t count) {
  return v.dtype == type && is_plain(v) && v.is_dense() && v.elements() == count;
}

SumArguments::Result result_of(DType type) {
  switch (type) {
    case DType::kI32: return SumArguments::kInt32;
    case DType::kF32: return SumArguments::kFloat;
    case DType::kU8: return SumArguments::kUint8;
    case DType::kI8: return SumArguments::kInt8;
    default: throw Error(Code::kMalformedPlan, "the result of a product of bytes is " + std::string(name(type)));
  }
}

}  // namespace

Status SumCall::check_operand(const SumStep& s, const TensorView& view, const TensorView& result, const ImageView& out,
                              const Images& images, SumStepArgument& to) {
  to.is_signed = view.dtype == DType::kI8;
  if (!s.adds_tensor()) {
    if (!is_vector(view, DType::kF32, 1) && !is_vector(view, DType::kF32, out.channels))
      return {Code::kShapeMismatch, "numbers per column of a product of bytes are of another size"};
    to.stride = view.elements() == 1 ? 0 : 1;
    return kOkStatus;
  }
  const bool fits = s.kind == SumStep::kAddBytes ? is_byte(view) : view.dtype == DType::kF32;
  const auto image = images(view);
  if (!fits || !image || !image->equidistant() || !same_dims(view, result))
    return {Code::kShapeMismatch, "the sum of a product of bytes has another shape, type or layout"};
  to.stride = image->pixel_stride;
  words_ = words_ && image->pixel_stride % kRun == 0;
  return kOkStatus;
}

Status SumCall::prepare(const KernelCall& call, const ImageView& out, int64_t columns, const Images& images) {
  const auto operands = std::count_if(parameters_.steps.begin(), parameters_.steps.end(),
                                      [](const SumStep& s) { return s.has_operand(); });
  if (call.inputs.size() != first_ + kFixedInputs + static_cast<size_t>(operands))
    return {Code::kMalformedPlan, "a product of bytes has another number of operands"};
  SumArguments& a = arguments_;
  a = {};
  a.result = result_of(call.outputs[0].dtype);
  a.zero = parameters_.zero;
  a.x_zero = x_zero_;
  a.x_is_signed = call.inputs[0].dtype == DType::kI8;
  a.steps = static_cast<int32_t>(parameters_.steps.size());
  if (a.result == SumArguments::kInt32 && a.steps > 0)
    return {Code::kMalformedPlan, "sums that stay have steps behind them"};
  const TensorView &start = call.inputs[first_], &sums = call.inputs[first_ + 1], &zero = call.inputs[first_ + 2];
  if (start.present() && !is_vector(start, DType::kI32, out.channels))
    return {Code::kShapeMismatch, "the start values of sums are of another size"};
  const bool dynamic = zero.present();
  if (dynamic != sums.present() || (dynamic && (!start.present() || zero.dtype != call.inputs[0].dtype ||
                                                zero.elements() != 1 || !is_vector(sums, DType::kI32, out.channels))))
    return {Code::kShapeMismatch, "the zero point of a product of bytes is of another size"};
  words_ = columns % kRun == 0 && out.pixel_stride % kRun == 0;
  size_t next = first_ + kFixedInputs;
  for (size_t i = 0; i < parameters_.steps.size(); ++i) {
    const SumStep& s = parameters_.steps[i];
    a.step[i] = {nullptr, 0, s.low, s.high, s.kind, false};
    if (s.has_operand())
      KILN_RETURN_IF_ERROR(check_operand(s, call.inputs[next++], call.outputs[0], out, images, a.step[i]));
  }
  return kOkStatus;
}

SumArguments SumCall::arguments(const KernelCall& call) const noexcept {
  SumArguments a = arguments_;
  a.start = pointer_of<const int32_t>(call.inputs[first_]);
  a.column_sums = pointer_of<const int32_t>(call.inputs[first_ + 1]);
  a.x_zero_at = call.inputs[first_ + 2].data;
  a.in_words = words_ && is_aligned(call.outputs[0].data, kPiece);
  size_t next = first_ + kFixedInputs;
  for (size_t i = 0; i < parameters_.steps.size(); ++i) {
    if (!parameters_.steps[i].has_operand()) continue;
    a.step[i].operand = call.inputs[next++].data;
    if (parameters_.steps[i].adds_tensor()) a.in_words = a.in_words && is_aligned(a.step[i].operand, kPiece);
  }
  return a;
}

}  // namespace kiln::cuda::kernels
