// Programs on the results of convolutions and products: how they are packed and checked.
#include "backends/cuda/device/kernels/epilogue_program.h"

#include <cstring>

#include "backends/cuda/device/kernels/image.h"

namespace kiln::cuda::kernels {
namespace {

bool is_kept(int operand) { return operand >= kFirstKept && operand < kResidual; }

struct ReadOperands {
  int vectors = 0;
  bool residual = false, second = false;
};

Status check_steps(std::span<const EpilogueStep> steps, ReadOperands& reads) {
  int kept = 0;  // bits
  for (const EpilogueStep& s : steps) {
    if (static_cast<int>(s.op) >= kEpilogueOpCount || s.operand >= kEpilogueOperandCount || s.other >= kResidual ||
        s.keeps > kKeptValues || static_cast<int>(s.activation) >= kActivationCount)
      return {Code::kMalformedPlan, "a program on results has a step that is none"};
    for (int operand : {int{s.operand}, int{s.other}})
      if (is_kept(operand) && !(kept >> (operand - kFirstKept) & 1))
        return {Code::kMalformedPlan, "a program on results reads what no step kept"};
    if (s.keeps > 0) kept |= 1 << (s.keeps - 1);
    if (s.operand != kSecondResidual) reads.vectors = std::max(reads.vectors, s.operand - kFirstVector + 1);
    reads.residual = reads.residual || s.operand == kResidual;
    reads.second = reads.second || s.operand == kSecondResidual;
  }
  return kOkStatus;
}

TensorStep joins(const EpilogueStep& step) {
  switch (step.op) {
    case EpilogueOp::kAdd: return TensorStep::kAdd;
    case EpilogueOp::kMul: return TensorStep::kMul;
    case EpilogueOp::kSub: return TensorStep::kSub;
    case EpilogueOp::kSubFrom: return TensorStep::kSubFrom;
    case EpilogueOp::kMin: return TensorStep::kMin;
    case EpilogueOp::kMax: return TensorStep::kMax;
    default: return TensorStep::kNone;
  }
}

}  // namespace

bool take_short_form(std::span<const EpilogueStep> steps, EpilogueArguments& e) {
  EpilogueArguments form = e;
  size_t tensors = 0;
  bool active = false;
  for (const EpilogueStep& s : steps) {
    const bool is_next = tensors < std::size(form.joins) && s.operand == (tensors == 0 ? kResidual : kSecondResidual);
    if (s.keeps != 0) return false;
    if (s.op == EpilogueOp::kActivate && !active) {
      active = true;
      form.active_at = static_cast<uint8_t>(tensors);
      form.activation = s.activation;
      form.alpha = s.alpha;
      form.beta = s.beta;
    } else if (is_next && joins(s) != TensorStep::kNone) {
      form.joins[tensors++] = joins(s);
    } else {
      return false;
    }
  }
  if (tensors > 0) e = form;
  return tensors > 0;
}

Tensor pack_program(std::span<const EpilogueStep> steps, std::span<const Tensor> vectors, int64_t columns) {
  const EpilogueProgram head{static_cast<uint32_t>(steps.size()), static_cast<uint32_t>(vectors.size()),
                             static_cast<uint32_t>(columns)};
  const auto floats = static_cast<int64_t>(vectors.size()) * columns;
  Tensor packed = Tensor::allocate(DType::kU8, {static_cast<int64_t>(sizeof head + steps.size_bytes()) +
                                                floats * static_cast<int64_t>(sizeof(float))});
  auto* to = static_cast<std::byte*>(packed.mutable_data());
  std::memcpy(to, &head, sizeof head);
  to += sizeof head;
  for (const EpilogueStep& step : steps) {  // field by field: what lies between them stays zero
    EpilogueStep s;
    std::memset(&s, 0, sizeof s);
    s.op = step.op, s.operand = step.operand, s.other = step.other, s.keeps = step.keeps;
    s.activation = step.activation, s.alpha = step.alpha, s.beta = step.beta;
    std::memcpy(to, &s, sizeof s);
    to += sizeof s;
  }
  for (const Tensor& vector : vectors)
    for (int64_t i = 0; i < columns; ++i, to += sizeof(float)) {
      const auto number = static_cast<float>(vector.at(i));
      std::memcpy(to, &number, sizeof number);
    }
  return packed;
}

Status read_program(const KernelCall& call, int64_t columns, EpilogueArguments& e) {
  if (!has_program(call)) return kOkStatus;
  const TensorView& packed = call.inputs[kBaseOperands];
  const int64_t bytes = packed.elements();
  if (call.inputs.size() > kSecondOperand + 1 || packed.dtype != DType::kU8 || !is_plain(packed) ||
      !packed.is_dense() || !packed.host || bytes < static_cast<int64_t>(sizeof(EpilogueProgram)))
    return {Code::kMalformedPlan, "a program on results is one more operand of constant bytes"};
  EpilogueProgram head;
  std::memcpy(&head, packed.host, sizeof head);
  const int64_t step_bytes = int64_t{head.steps} * static_cast<int64_t>(sizeof(EpilogueStep));
  if (head.steps == 0 || head.steps > kMostEpilogueSteps || head.vectors > kMostColumnVectors ||
      head.columns != columns ||
      bytes !=
          static_cast<int64_t>(sizeof head) + step_bytes + head.vectors * columns * static_cast<int64_t>(sizeof(float)))
    return {Code::kMalformedPlan, "a program on results has another size"};
  std::vector<EpilogueStep> steps(head.steps);
  std::memcpy(steps.data(), static_cast<const std::byte*>(packed.host) + sizeof head, static_cast<size_t>(step_bytes));
  ReadOperands reads;
  KILN_RETURN_IF_ERROR(check_steps(steps, reads));
  const TensorView* second = second_residual(call);
  if (reads.vectors > static_cast<int>(head.vectors) || reads.residual != call.inputs[3].present() ||
      reads.second != (second != nullptr && second->present()))
    return {Code::kMalformedPlan, "a program on results reads other operands"};
  (void)take_short_form(steps, e);
  return kOkStatus;
}

std::string module_of(const char* family, const KernelCall& call) {
  return has_program(call) ? std::string(family) + "_program" : family;
}

Status bind_program(const KernelCall& call, EpilogueArguments& e) noexcept {
  if (!has_program(call)) return kOkStatus;
  if (const TensorView* second = second_residual(call)) e.second = second->data;
  if (e.joins[0] != TensorStep::kNone) return kOkStatus;
  const void* data = call.inputs[kBaseOperands].data;
  if (!is_aligned(data, alignof(EpilogueProgram)))
    return {Code::kInvalidArgument, "a program on results does not lie at a multiple of 16 bytes"};
  const auto address = reinterpret_cast<uintptr_t>(data);
  e.program_low = static_cast<uint32_t>(address);
  e.program_high = static_cast<uint32_t>(address >> 32);
  return kOkStatus;
}

}  // namespace kiln::cuda::kernels
