// Kernel "gemm_packed": a [..., m, k] times packed [k, n]. Inputs: a, packed b (float32, float16 or bfloat16), bias, residual. Parameter `columns` is 0 when b was
// a vector: the result has no axis n then. a, residual and result are of float32; or of float16 or bfloat16, of which some rows at a time
// become float32, and whose sums are rounded once.
#include <numeric>
#include <vector>

#include "backends/cpu/device/kernels/half_operands.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/error.h"

namespace kiln::cpu::kernels {
namespace {

class GemmPacked final : public Kernel {
 public:
  explicit GemmPacked(const GemmPackedParameters& p)
      : n_(p.n), has_columns_(p.columns), epilogue_(p.epilogue), blocks_(p.blocks) {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read(call, gemm_));
    if (workspace(call) > call.workspace_size) return {Code::kMalformedPlan, "the workspace of a product is too small"};
    const TensorView &bias = call.inputs[2], &residual = call.inputs[3];
    if (bias.present() && !is_vector(bias, n_)) return {Code::kShapeMismatch, "the bias of a product has another size"};
    if (residual.present()) {
      const auto rows = rows_of_result(residual);
      if (residual.dtype != call.inputs[0].dtype || !rows || rows->rows != gemm_.m || rows->columns != n_)
        return {Code::kShapeMismatch, "the sum of a product has another shape"};
      residual_stride_ = rows->stride;
    }
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    if (is_half(call.inputs[0])) {
      multiply_halves(call);
      return kOkStatus;
    }
    GemmCall gemm_call = gemm_;
    gemm_call.a = static_cast<const float*>(call.inputs[0].data);
    gemm_call.c = static_cast<float*>(call.outputs[0].data);
    gemm(gemm_call, {call.inputs[1].data, call.inputs[1].dtype},
         make_epilogue(epilogue_, call.inputs[2], call.inputs[3], residual_stride_), blocks_,
         static_cast<float*>(call.workspace));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    GemmCall gemm_call;
    if (!read(call, gemm_call).ok()) return kNoWorkspace;
    if (is_half(call.inputs[0])) {
      const Cut cut(gemm_call, blocks_, call.inputs[3].present(), call.inputs[1].dtype);
      return static_cast<size_t>(cut.bands.floats() + cut.inner_floats * cut.bands.parts()) * sizeof(float);
    }
    return static_cast<size_t>(gemm_workspace(gemm_call, blocks_, call.inputs[1].dtype)) * sizeof(float);
  }

 private:
  // A product of 16 bits: its rows as lines of an image of one column.
  struct Cut {
    Cut(const GemmCall& call, const BlockConfig& all, bool residual, DType weights) {
      const ConvShape shape{
          .in_h = call.m, .in_c = call.k, .out_c = call.n, .in_stride = call.a_stride, .out_stride = call.c_stride};
      const bool whole = takes_whole(shape, all);
      bands = HalfBands(shape, {.threads = all.row_threads * all.column_threads,
                                .whole = whole,
                                .pixels = all.block_rows,
                                .residual = residual});
      blocks = blocks_of_band(all, whole);
      inner_floats = align_up(gemm_workspace(call_of(bands.largest()), blocks, weights), 16);
    }
    static GemmCall call_of(const ConvShape& s) {
      return {.m = s.in_h, .n = s.out_c, .k = s.in_c, .a_stride = s.in_c, .c_stride = s.out_c};
    }
    HalfBands bands;
    BlockConfig blocks;
    int64_t inner_floats = 0;  // of scratch, for each band that is in the making
  };

  void multiply_halves(const KernelCall& call) noexcept {
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &residual = call.inputs[3];
    const Cut cut(gemm_, blocks_, residual.present(), b.dtype);
    const HalfOperands operands{.type = a.dtype,
                                .x = {halves(a), gemm_.m * gemm_.a_stride, gemm_.a_stride, gemm_.k},
                                .residual = residual.present() ? halves(residual) : nullptr,
                                .residual_stride = residual_stride_,
                                .y = static_cast<uint16_t*>(call.outputs[0].data)};
    const Epilogue epilogue = make_epilogue(epilogue_, call.inputs[2], {}, 0);
    auto* space = static_cast<float*>(call.workspace);
    float* const inner = space + cut.bands.floats();
    cut.bands.run(operands, space, [&](const Band& band) {
      GemmCall rows = Cut::call_of(band.shape);
      rows.a = band.x;
      rows.c = band.y;
      gemm(rows, {b.data, b.dtype}, epilogue_of_band(epilogue, band), cut.blocks, inner + band.part * cut.inner_floats);
    });
  }

  std::optional<RowsView> rows_of_result(const TensorView& view) const {
    if (has_columns_) return matrix_of(view);
    std::vector<int> axes(static_cast<size_t>(view.rank));
    std::iota(axes.begin(), axes.end(), 0);
    return rows_of(view, axes, -1);
  }

  Status read(const KernelCall& call, GemmCall& to) const noexcept {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product has four operands"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &c = call.outputs[0];
    const auto left = matrix_of(a), result = rows_of_result(c);
    if (!(is_f32(a) || is_half(a)) || !are_packed_weights(b) || c.dtype != a.dtype || !left || !result)
      return {Code::kMalformedPlan, "operands of a product are not rows of float32, float16 or bfloat16"};
    if (left->rows != result->rows || result->columns != n_ || b.elements() != packed_b_floats(left->columns, n_))
      return {Code::kShapeMismatch, "operands of a product do not fit each other"};
    to.m = left->rows;
    to.n = n_;
    to.k = left->columns;
    to.a_stride = left->stride;
    to.c_stride = result->stride;
    return kOkStatus;
  }

  int64_t n_;
  bool has_columns_;
  EpilogueParameters epilogue_;
  BlockConfig blocks_;
  GemmCall gemm_;
  int64_t residual_stride_ = 0;
};

}  // namespace

void GemmPackedParameters::check() const {
  if (!columns && n != 1) throw Error(Code::kMalformedPlan, "a product with a vector has one column");
}

std::unique_ptr<Kernel> make_gemm_packed(const Attributes& parameters) {
  return std::make_unique<GemmPacked>(read_parameters<GemmPackedParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
