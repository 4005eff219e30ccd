// Kernel "gemm_bfloat16": a [..., m, k] of bfloat16, or of float32 that is rounded to it, times packed bfloat16 [k, n], summed in float32.
// Inputs: a, packed b, then what SumOperands has, whose first three are absent. Parameters: `n`; `tiles`: the processor's unit for them multiplies.
#include "backends/cpu/device/kernels/matrix_rows.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/rounded_rows.h"
#include "backends/cpu/device/kernels/sum_steps.h"
#include "backends/cpu/device/kernels/tiles.h"

namespace kiln::cpu::kernels {
namespace {

class GemmBfloat16 final : public Kernel {
 public:
  explicit GemmBfloat16(const GemmBfloat16Parameters& p) : n_(p.n), in_tiles_(p.tiles.value_or(false)), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      KILN_RETURN_IF_ERROR(check_tiles(in_tiles_));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a product of bfloat16 is too small"};
      return sums_.prepare(call, 2, a_.rows, n_, matrix_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const TensorView& a = call.inputs[0];
    if (is_f32(a)) multiply(call, RoundedRows(static_cast<const float*>(a.data), a_.stride, a_.columns));
    else
      multiply(call, MatrixRows(static_cast<const uint8_t*>(a.data), a_.stride * kBfloat16Bytes,
                                a_.columns * kBfloat16Bytes, 1, false));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return static_cast<size_t>(int8_scratch_bytes(a_.rows, a_.columns * kBfloat16Bytes, in_tiles_, thread_count()));
  }

 private:
  void multiply(const KernelCall& call, const ByteRows& left) noexcept {
    const Int8Product product{.rows = a_.rows,
                              .columns = n_,
                              .terms = a_.columns * kBfloat16Bytes,
                              .left = &left,
                              .kind = Int8Product::kBfloat16,
                              .in_tiles = in_tiles_,
                              .packed = static_cast<const int8_t*>(call.inputs[1].data),
                              .out = call.outputs[0].data,
                              .out_stride = out_stride_};
    product_int8(product, sums_.bind(call, 0, nullptr), thread_count(), static_cast<uint8_t*>(call.workspace));
  }

  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 5 || call.outputs.size() != 1 || call.inputs[2].present() || call.inputs[4].present() ||
        !is_real(call.outputs[0]))
      return {Code::kMalformedPlan, "a product of bfloat16 has five operands or more, and a result of other types"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1];
    if (!is_real(a) || b.dtype != DType::kBF16 || !is_plain(b) || !b.is_dense())
      return {Code::kMalformedPlan, "a product of bfloat16 has operands of other types"};
    const auto left = matrix_of(a), out = matrix_of(call.outputs[0]);
    if (!left || !out || left->rows != out->rows || out->columns != n_)
      return {Code::kShapeMismatch, "the operands of a product of bfloat16 do not fit each other"};
    const auto packed = checked_mul(int8_terms(left->columns * kBfloat16Bytes) / kBfloat16Bytes, int8_columns(n_));
    if (!packed || b.elements() != *packed) return {Code::kShapeMismatch, "packed weights have another size"};
    a_ = *left;
    out_stride_ = out->stride;
    return kOkStatus;
  }

  int64_t n_, out_stride_ = 0;
  RowsView a_;
  bool in_tiles_;
  SumOperands sums_;
};

}  // namespace

std::unique_ptr<Kernel> make_gemm_bfloat16(const Attributes& parameters) {
  return std::make_unique<GemmBfloat16>(read_parameters<GemmBfloat16Parameters>(parameters));
}

}  // namespace kiln::cpu::kernels
