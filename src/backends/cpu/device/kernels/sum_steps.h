// What products of bytes do with their sums before they store them, as parameters and operands.
#pragma once
#include <optional>
#include <vector>

#include "backends/cpu/device/compute/product_int8.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/views.h"
#include "device/parameter_fields.h"

namespace kiln::cpu::kernels {

struct SumParameters {
  std::vector<SumStep> steps = {};  // their kinds and numbers; operands and strides are those of a call
  int32_t zero = 0;                 // of a result of bytes
  // What the bytes of the result become at last, and whether they are signed before; empty: they stay.
  std::vector<uint8_t> table = {};
  bool is_signed = false;
};
// The same as fields of a step, one list for each number of the steps.
struct SumFields {
  Ints kinds = {};
  Floats lows = {}, highs = {};
  std::optional<Ints> activations = {};  // of the steps that have one
  int32_t zero = 0;
  std::optional<std::vector<uint8_t>> table = {};
  std::optional<bool> is_signed = {};
  template <class V> void fields(V& v) {
    v("steps", kinds, 0, kSumStepKinds - 1);
    v("step_lows", lows);
    v("step_highs", highs);
    v("step_activations", activations, 0, kActivationCount - 1);
    v("result_zero", zero, -128, 255);
    v("table", table);
    v("table_signed", is_signed);
  }
  void check() const;  // that the lists fit each other
};
SumFields stored_sums(const SumParameters& parameters);
SumParameters restored_sums(const SumFields& fields);

// Elements of a vector per column, of which a tile may read more than the result has columns.
inline int64_t column_vector_size(int64_t columns) { return int8_columns(columns) + kInt8Panel; }

// The epilogue of a kernel whose inputs from `first` on are the start values of the sums (int32 per column, may be absent), the sums of
// the weights per column and the zero point of x where only running tells it (else absent), and the operands of the steps that have one.
class SumOperands {
 public:
  explicit SumOperands(const SumFields& fields) : parameters_(restored_sums(fields)) {}
  // `rows_of` sees a tensor as rows of columns, as the result is.
  Status prepare(const KernelCall& call, size_t first, int64_t rows, int64_t columns,
                 std::optional<RowsView> (*rows_of)(const TensorView&));
  // Bytes that bind() needs.
  static size_t space(const KernelCall& call, size_t first, int64_t columns) noexcept;
  // Valid until the next call. `shift` is added to the zero point.
  SumEpilogue bind(const KernelCall& call, int32_t shift, std::byte* space) noexcept;
  // The zero point of x, `fixed` when it is known.
  int32_t zero_point(const KernelCall& call, int32_t fixed) const noexcept;

 private:
  Status check_operand(const SumStep& step, const TensorView& view, int64_t rows, int64_t columns, int64_t vector,
                       std::optional<RowsView> (*rows_of)(const TensorView&), int64_t& stride) const;
  SumParameters parameters_;
  std::vector<SumStep> bound_;
  size_t first_ = 0;
  int64_t columns_ = 0;
};

}  // namespace kiln::cpu::kernels
