// Kernel "gemm_int16": a [..., m, k] of int16 or uint16 times packed int16 [k, n], which are bytes less their zero points. Inputs: a, packed
// b, then what SumOperands has; of a uint16 less 2^15 is multiplied. Parameter: `n`.
#include <algorithm>

#include "backends/cpu/device/compute/integer_product.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/sum_steps.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kWordRows = 64;  // that are multiplied by a panel at once
constexpr double kNanosecondsPerWord = 0.03;

class GemmInt16 final : public Kernel {
 public:
  explicit GemmInt16(const GemmInt16Parameters& p) : n_(p.n), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a product of 16 bits is too small"};
      if (call.inputs[4].present()) return {Code::kMalformedPlan, "a product of 16 bits has a zero point of its own"};
      return sums_.prepare(call, 2, a_.rows, n_, matrix_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    auto* sums = static_cast<int32_t*>(call.workspace);
    auto* left = reinterpret_cast<int16_t*>(static_cast<std::byte*>(call.workspace) + sum_bytes());
    copy_rows(call, left);
    const auto* packed = static_cast<const int16_t*>(call.inputs[1].data);
    const int64_t blocks = (a_.rows + kWordRows - 1) / kWordRows, panels = (n_ + kIntegerPanel - 1) / kIntegerPanel;
    parallel_pieces(thread_count(), nanoseconds(), blocks * panels, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        multiply(left, packed, i % blocks * kWordRows, i / blocks * kIntegerPanel, sums);
    });
    finish_sums(sums, a_.rows, n_, sums_.bind(call, 0, nullptr), call.outputs[0].data, out_stride_, thread_count());
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return sum_bytes() + static_cast<size_t>(a_.rows * paired(a_.columns)) * sizeof(int16_t);
  }

 private:
  size_t sum_bytes() const { return cache_lines(a_.rows * n_ * static_cast<int64_t>(sizeof(int32_t))); }
  double nanoseconds() const {
    return kNanosecondsPerWord * static_cast<double>(a_.rows) * static_cast<double>(n_) *
           static_cast<double>(a_.columns);
  }

  void copy_rows(const KernelCall& call, int16_t* left) const noexcept {
    const uint16_t flip = call.inputs[0].dtype == DType::kU16 ? 0x8000 : 0;
    const auto* from = static_cast<const uint16_t*>(call.inputs[0].data);
    const int64_t terms = paired(a_.columns);
    parallel_ranges(useful_threads(thread_count(), nanoseconds()), a_.rows, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t t = 0; t < a_.columns; ++t)
          left[i * terms + t] = static_cast<int16_t>(from[i * a_.stride + t] ^ flip);
        if (terms > a_.columns) left[i * terms + a_.columns] = 0;
      }
    });
  }

  void multiply(const int16_t* left, const int16_t* packed, int64_t row, int64_t column, int32_t* sums) const noexcept {
    alignas(64) int32_t block[kWordRows * kIntegerPanel];
    const int64_t rows = std::min(kWordRows, a_.rows - row), terms = paired(a_.columns);
    multiply_panel(left + row * terms, rows, terms, packed + column * terms, block);
    for (int64_t i = 0; i < rows; ++i)
      std::copy_n(block + i * kIntegerPanel, std::min(kIntegerPanel, n_ - column), sums + (row + i) * n_ + column);
  }

  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 5 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product of 16 bits has five operands or more"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1];
    const bool words = a.dtype == DType::kI16 || a.dtype == DType::kU16;
    if (!words || b.dtype != DType::kI16 || !is_plain(b) || !b.is_dense())
      return {Code::kMalformedPlan, "a product of 16 bits has operands of other types"};
    const auto left = matrix_of(a), out = matrix_of(call.outputs[0]);
    if (!left || !out || left->rows != out->rows || out->columns != n_)
      return {Code::kShapeMismatch, "the operands of a product of 16 bits do not fit each other"};
    const auto packed = checked_mul(paired(left->columns), packed_int16(1, n_) / 2);
    if (!packed || b.elements() != *packed) return {Code::kShapeMismatch, "packed weights have another size"};
    if (!checked_mul(left->rows, std::max<int64_t>(n_, 1) * int64_t{sizeof(int32_t)}))
      return {Code::kShapeMismatch, "a product of 16 bits has more sums than memory can hold"};
    a_ = *left;
    out_stride_ = out->stride;
    return kOkStatus;
  }

  int64_t n_, out_stride_ = 0;
  RowsView a_;
  SumOperands sums_;
};

}  // namespace

std::unique_ptr<Kernel> make_gemm_int16(const Attributes& parameters) {
  return std::make_unique<GemmInt16>(read_parameters<GemmInt16Parameters>(parameters));
}

}  // namespace kiln::cpu::kernels
