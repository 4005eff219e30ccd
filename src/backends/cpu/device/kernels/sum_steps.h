// What products of bytes do with their sums before they store them, as parameters and operands.
#pragma once
#include <optional>
#include <vector>

#include "backends/cpu/device/compute/product_int8.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/views.h"
#include "device/sum_steps.h"

namespace kiln::cpu::kernels {

// Elements of a vector per column, of which a tile may read more than the result has columns.
inline int64_t column_vector_size(int64_t columns) { return int8_columns(columns) + kInt8Panel; }

// The epilogue of a kernel whose inputs from `first` on are the start values of the sums (int32 per column, may be absent), the sums of
// the weights per column and the zero point of x where only running tells it (else absent), and the operands of the steps that have one.
class SumOperands {
 public:
  explicit SumOperands(const SumFields& fields)
      : parameters_(restored_sums(fields)), bound_(parameters_.steps.begin(), parameters_.steps.end()) {
    if (!parameters_.table.empty()) line_ = line_of(parameters_.table.data(), parameters_.is_signed, parameters_.zero);
  }
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
  Status check_operand(const BoundStep& step, const TensorView& view, int64_t rows, int64_t columns, int64_t vector,
                       std::optional<RowsView> (*rows_of)(const TensorView&), int64_t& stride) const;
  SumParameters parameters_;
  std::vector<BoundStep> bound_;
  std::optional<ByteLine> line_;  // of the table
  size_t first_ = 0;
  int64_t columns_ = 0;
};

}  // namespace kiln::cpu::kernels
