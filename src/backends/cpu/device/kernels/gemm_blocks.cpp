// Kernel "gemm_blocks": a [..., m, k] times weights of few bits. Inputs: a, packed codes, scales and, unless all
// are the middle, zero points as BlockWeights has them.
// Parameters: `k`, `n`, `block`, `bits`, `code`.
#include "backends/cpu/device/compute/product_blocks.h"

#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/views.h"

namespace kiln::cpu::kernels {
namespace {

class GemmBlocks final : public Kernel {
 public:
  explicit GemmBlocks(const GemmBlocksParameters& p)
      : weights_{p.k, p.n, p.block, p.bits, p.code.value_or(BlockCode::kInteger)} {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read(call));
    if (workspace(call) > call.workspace_size)
      return {Code::kMalformedPlan, "the workspace of a product with blocks is too small"};
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    if (a_.rows == 0) return kOkStatus;
    const BlockProduct product{
        .weights = weights_,
        .rows = a_.rows,
        .a = static_cast<const float*>(call.inputs[0].data),
        .a_stride = a_.stride,
        .packed = static_cast<const int32_t*>(call.inputs[1].data),
        .scales = static_cast<const float*>(call.inputs[2].data),
        .zeros = call.inputs.size() > 3 ? static_cast<const float*>(call.inputs[3].data) : nullptr,
        .out = static_cast<float*>(call.outputs[0].data),
        .out_stride = out_stride_};
    product_blocks(product, thread_count(), static_cast<float*>(call.workspace));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return static_cast<size_t>(block_product_scratch(weights_, a_.rows)) * sizeof(float);
  }

 private:
  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 3 || call.inputs.size() > (weights_.code == BlockCode::kInteger ? 4 : 3) ||
        call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product with blocks has three or four operands"};
    const TensorView &a = call.inputs[0], &codes = call.inputs[1];
    if (!is_f32(a) || !is_f32(call.outputs[0]) || codes.dtype != DType::kI32 || !is_plain(codes) || !codes.is_dense())
      return {Code::kMalformedPlan, "the operands of a product with blocks have other types"};
    const auto words = checked_mul(weights_.words(), weights_.padded_columns());
    const int64_t parameters = weights_.blocks() * weights_.padded_columns();  // no more than there are words
    if (!words || codes.elements() != *words || !is_vector(call.inputs[2], parameters) ||
        (call.inputs.size() > 3 && !is_vector(call.inputs[3], parameters)))
      return {Code::kShapeMismatch, "packed weights in blocks have another size"};
    const auto left = matrix_of(a), out = matrix_of(call.outputs[0]);
    if (!left || !out || left->rows != out->rows || left->columns != weights_.terms ||
        out->columns != weights_.columns || !checked_mul(left->rows, weights_.blocks() * int64_t{4}))
      return {Code::kShapeMismatch, "the operands of a product with blocks do not fit each other"};
    a_ = *left;
    out_stride_ = out->stride;
    return kOkStatus;
  }

  BlockWeights weights_;
  RowsView a_;
  int64_t out_stride_ = 0;
};

}  // namespace

void GemmBlocksParameters::check() const {
  if (bits != 2 && bits != 4 && bits != 8)
    throw Error(Code::kMalformedPlan, "weights of " + std::to_string(bits) + " bits");
  if (code && *code != BlockCode::kInteger && bits != (*code == BlockCode::kE2M1 ? 4 : 8))
    throw Error(Code::kMalformedPlan, "floats of " + std::to_string(bits) + " bits");
}

std::unique_ptr<Kernel> make_gemm_blocks(const Attributes& parameters) {
  return std::make_unique<GemmBlocks>(read_parameters<GemmBlocksParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
