// Kernel "gemm_int16": a [..., m, k] of int16 or uint16 times packed int16 [k, n], which are bytes less their zero points. Inputs: a, packed
// b, then what SumOperands has; of a uint16 less 2^15 is multiplied. Parameter: `n`.
#include "backends/cpu/device/kernels/matrix_rows.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/sum_steps.h"
#include "backends/cpu/device/kernels/word_rows.h"

namespace kiln::cpu::kernels {
namespace {

class GemmInt16 final : public Kernel {
 public:
  explicit GemmInt16(const GemmInt16Parameters& p) : n_(p.n), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a product of 16 bits is too small"};
      return sums_.prepare(call, 2, a_.rows, n_, matrix_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const TensorView& a = call.inputs[0];
    const MatrixRows left(static_cast<const uint8_t*>(a.data), a_.stride * kWordBytes, row_bytes(), 1, false);
    const Int8Product product{.rows = a_.rows,
                              .columns = n_,
                              .terms = row_bytes(),
                              .left = &left,
                              .kind = kind_of_words(a),
                              .packed = static_cast<const int8_t*>(call.inputs[1].data),
                              .out = call.outputs[0].data,
                              .out_stride = out_stride_};
    product_int8(product, sums_.bind(call, 0, nullptr), thread_count(), static_cast<uint8_t*>(call.workspace));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return static_cast<size_t>(int8_scratch_bytes(a_.rows, row_bytes(), false, thread_count()));
  }

 private:
  int64_t row_bytes() const { return a_.columns * kWordBytes; }

  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 5 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product of 16 bits has five operands or more"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1];
    if (!is_word(a) || b.dtype != DType::kI16 || !is_plain(b) || !b.is_dense())
      return {Code::kMalformedPlan, "a product of 16 bits has operands of other types"};
    if (call.inputs[4].present()) return {Code::kMalformedPlan, "a product of 16 bits has a zero point of its own"};
    const auto left = matrix_of(a), out = matrix_of(call.outputs[0]);
    if (!left || !out || left->rows != out->rows || out->columns != n_)
      return {Code::kShapeMismatch, "the operands of a product of 16 bits do not fit each other"};
    if (b.elements() != packed_words(left->columns, n_))
      return {Code::kShapeMismatch, "packed weights have another size"};
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
