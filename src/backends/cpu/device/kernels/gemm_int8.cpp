// Kernel "gemm_int8": bytes a [..., m, k] times packed signed bytes [k, n]. Inputs: a, packed b, then what SumOperands has. Parameters:
// `n`; `parts`: b is the sum of so many matrices, packed below one another; `tiles`: the processor's unit for them
// multiplies.
#include "backends/cpu/device/kernels/matrix_rows.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/sum_steps.h"
#include "backends/cpu/device/kernels/tiles.h"

namespace kiln::cpu::kernels {
namespace {

class GemmInt8 final : public Kernel {
 public:
  explicit GemmInt8(const GemmInt8Parameters& p)
      : n_(p.n), parts_(p.parts), bytes_(p.tiles.value_or(false)), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      KILN_RETURN_IF_ERROR(check_tiles(bytes_.in_tiles()));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a product of bytes is too small"};
      return sums_.prepare(call, 2, a_.rows, n_, matrix_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const bool is_signed = call.inputs[0].dtype == DType::kI8;
    const MatrixRows left(static_cast<const uint8_t*>(call.inputs[0].data), a_.stride, a_.columns, parts_,
                          bytes_.flips(is_signed));
    const Int8Product product{.rows = a_.rows,
                              .columns = n_,
                              .terms = a_.columns * parts_,
                              .left = &left,
                              .kind = bytes_.kind(is_signed, left.in_place()),
                              .in_tiles = bytes_.in_tiles(),
                              .packed = static_cast<const int8_t*>(call.inputs[1].data),
                              .out = call.outputs[0].data,
                              .out_stride = out_stride_};
    auto* space = static_cast<std::byte*>(call.workspace);
    const SumEpilogue epilogue = sums_.bind(call, bytes_.shift(is_signed), space);
    product_int8(product, epilogue, thread_count(),
                 reinterpret_cast<uint8_t*>(space + SumOperands::space(call, 2, n_)));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return SumOperands::space(call, 2, n_) +
           static_cast<size_t>(int8_scratch_bytes(a_.rows, a_.columns * parts_, bytes_.in_tiles(), thread_count()));
  }

 private:
  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 3 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product of bytes has three operands or more"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1];
    if (!is_byte(a) || b.dtype != DType::kI8 || !b.is_dense())
      return {Code::kMalformedPlan, "a product of bytes has operands of other types"};
    const auto left = matrix_of(a), out = matrix_of(call.outputs[0]);
    if (!left || !out || left->rows != out->rows || out->columns != n_)
      return {Code::kShapeMismatch, "the operands of a product of bytes do not fit each other"};
    const auto packed = checked_mul(int8_terms(left->columns * parts_), int8_columns(n_));
    if (!packed || b.elements() != *packed) return {Code::kShapeMismatch, "packed weights have another size"};
    a_ = *left;
    out_stride_ = out->stride;
    return kOkStatus;
  }

  int64_t n_, parts_, out_stride_ = 0;
  RowsView a_;
  RowsOfBytes bytes_;
  SumOperands sums_;
};

}  // namespace

std::unique_ptr<Kernel> make_gemm_int8(const Attributes& parameters) {
  return std::make_unique<GemmInt8>(read_parameters<GemmInt8Parameters>(parameters));
}

}  // namespace kiln::cpu::kernels
