// What products of bytes do with their sums: binding to a call.
#include "backends/cpu/device/kernels/sum_steps.h"

#include <algorithm>

#include "backends/cpu/device/kernels/integer_result.h"
#include "base/error.h"

namespace kiln::cpu::kernels {
namespace {

constexpr size_t kFixedInputs = 3;  // before the operands of steps

std::optional<SumEpilogue::Result> result_of(DType type) {
  switch (type) {
    case DType::kI32: return SumEpilogue::kInt32;
    case DType::kF32: return SumEpilogue::kFloat;
    case DType::kBF16: return SumEpilogue::kBfloat16;
    case DType::kU8: return SumEpilogue::kUint8;
    case DType::kI8: return SumEpilogue::kInt8;
    default: return std::nullopt;
  }
}

}  // namespace

Status SumOperands::check_operand(const BoundStep& s, const TensorView& view, int64_t rows, int64_t columns,
                                  int64_t vector, std::optional<RowsView> (*rows_of)(const TensorView&),
                                  int64_t& stride) const {
  const bool narrow = s.kind == SumStep::kAddFloats && view.dtype == DType::kBF16;
  if (!(s.kind == SumStep::kAddBytes ? is_byte(view) : narrow || is_f32(view)))
    return {Code::kMalformedPlan, "an operand of a step after a sum has another type"};
  if (s.kind == SumStep::kMultiply || s.kind == SumStep::kAdd) {
    const bool whole_vectors = view.elements() == columns && columns % kInt8Panel == 0;
    if (!is_plain(view) || !view.is_dense() || (view.elements() != 1 && view.elements() != vector && !whole_vectors))
      return {Code::kShapeMismatch, "numbers per column of a product are of another size"};
    stride = view.elements() == 1 ? 0 : 1;
    return kOkStatus;
  }
  const auto r = rows_of(view);
  if (!r || r->rows != rows || r->columns != columns)
    return {Code::kShapeMismatch, "the sum of a product has another shape or layout"};
  stride = r->stride;
  return kOkStatus;
}

Status SumOperands::prepare(const KernelCall& call, size_t first, int64_t rows, int64_t columns,
                            std::optional<RowsView> (*rows_of)(const TensorView&)) {
  const auto result = result_of(call.outputs[0].dtype);
  const bool sums_stay = parameters_.steps.empty() && parameters_.table.empty();
  const bool bytes = result == SumEpilogue::kUint8 || result == SumEpilogue::kInt8;
  if (!result || (result == SumEpilogue::kInt32 && !sums_stay) || (!bytes && !parameters_.table.empty()))
    return {Code::kMalformedPlan, "the result of a product of bytes has another type"};
  const auto operands = static_cast<size_t>(
      std::count_if(bound_.begin(), bound_.end(), [](const BoundStep& s) { return s.has_operand(); }));
  if (call.inputs.size() != first + kFixedInputs + operands)
    return {Code::kMalformedPlan, "a product of bytes has another number of operands"};
  const int64_t vector = column_vector_size(columns);
  const TensorView& start = call.inputs[first];
  if (start.present() && (start.dtype != DType::kI32 || !start.is_dense() || start.elements() != vector))
    return {Code::kShapeMismatch, "the start values of sums are of another size"};
  const TensorView &sums = call.inputs[first + 1], &zero = call.inputs[first + 2];
  const bool dynamic = zero.present();
  if (dynamic != sums.present() || (dynamic && (!is_byte(zero) || zero.elements() != 1 || sums.dtype != DType::kI32 ||
                                                !sums.is_dense() || sums.elements() != vector || !start.present())))
    return {Code::kShapeMismatch, "the zero point of a product of bytes is of another size"};
  first_ = first;
  columns_ = columns;
  size_t next = first + kFixedInputs;
  for (BoundStep& s : bound_) {
    if (!s.has_operand()) continue;
    const TensorView& view = call.inputs[next++];
    s.is_signed = view.dtype == DType::kI8;
    s.is_narrow = view.dtype == DType::kBF16;
    KILN_RETURN_IF_ERROR(check_operand(s, view, rows, columns, vector, rows_of, s.stride));
  }
  return kOkStatus;
}

size_t SumOperands::space(const KernelCall& call, size_t first, int64_t columns) noexcept {
  const bool dynamic = call.inputs.size() > first + 2 && call.inputs[first + 2].present();
  return dynamic ? cache_lines(column_vector_size(columns) * static_cast<int64_t>(sizeof(int32_t))) : 0;
}

int32_t SumOperands::zero_point(const KernelCall& call, int32_t fixed) const noexcept {
  const TensorView& zero = call.inputs[first_ + 2];
  return zero.present() ? ZeroPoint(zero)[0] : fixed;
}

SumEpilogue SumOperands::bind(const KernelCall& call, int32_t shift, std::byte* space) noexcept {
  size_t next = first_ + kFixedInputs;
  for (BoundStep& s : bound_)
    if (s.has_operand()) s.operand = call.inputs[next++].data;
  SumEpilogue e;
  const TensorView& start = call.inputs[first_];
  e.start = start.present() ? static_cast<const int32_t*>(start.data) : nullptr;
  if (call.inputs[first_ + 2].present()) {
    const auto zero = static_cast<uint32_t>(zero_point(call, 0) + shift);
    const auto* sums = static_cast<const uint32_t*>(call.inputs[first_ + 1].data);
    auto* moved = reinterpret_cast<int32_t*>(space);
    for (int64_t c = 0; c < column_vector_size(columns_); ++c)
      moved[c] = static_cast<int32_t>(static_cast<uint32_t>(e.start[c]) - zero * sums[c]);
    e.start = moved;
  }
  e.steps = bound_;
  e.result = result_of(call.outputs[0].dtype).value_or(SumEpilogue::kInt32);
  e.zero = parameters_.zero;
  if (parameters_.table.empty()) return e;
  e.table = parameters_.table.data();
  e.line = line_ ? &*line_ : nullptr;
  e.result = parameters_.is_signed ? SumEpilogue::kInt8 : SumEpilogue::kUint8;
  return e;
}

}  // namespace kiln::cpu::kernels
