// Kernel "gemm_int8_batched": bytes a [..., m, k] times bytes b [..., k, n], of which unsigned ones are less by 128. Inputs: a, b, then
// what SumOperands has. Parameters: `a_zero`, the zero point of a; `tiles`: the processor's unit for them multiplies.
#include <vector>

#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/matrix_rows.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/sum_steps.h"
#include "backends/cpu/device/kernels/tiles.h"

namespace kiln::cpu::kernels {
namespace {

class GemmInt8Batched final : public Kernel {
 public:
  explicit GemmInt8Batched(const GemmInt8BatchedParameters& p)
      : a_zero_(p.a_zero), bytes_(p.tiles.value_or(false)), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      KILN_RETURN_IF_ERROR(check_tiles(bytes_.in_tiles()));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a product of bytes is too small"};
      a_items_ = item_offsets(call.inputs[0]);
      b_items_ = item_offsets(call.inputs[1]);
      return sums_.prepare(call, 2, items_ * m_, n_, matrix_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const SumEpilogue epilogue = sums_.bind(call, 0, nullptr);
    const int threads = thread_count(), teams = static_cast<int>(std::min<int64_t>(threads, items_));
    parallel_ranges(teams, items_, [&](int64_t begin, int64_t end, int part) {
      auto* space = static_cast<uint8_t*>(call.workspace) + static_cast<size_t>(part) * team_space(threads);
      for (int64_t item = begin; item < end; ++item) run(call, epilogue, item, teams > 1 ? 1 : threads, space);
    });
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return team_space(thread_count()) * static_cast<size_t>(std::min<int64_t>(thread_count(), items_));
  }

 private:
  // Packed b, the sums of its columns, start values, and located rows.
  size_t team_space(int threads) const {
    return packed_space() + 2 * vector_space() + cache_lines(int8_scratch_bytes(m_, k_, bytes_.in_tiles(), threads));
  }
  size_t packed_space() const { return cache_lines(packed_int8_bytes(k_, n_)); }
  size_t vector_space() const { return cache_lines(column_vector_size(n_) * static_cast<int64_t>(sizeof(int32_t))); }

  void run(const KernelCall& call, SumEpilogue epilogue, int64_t item, int threads, uint8_t* space) noexcept {
    const TensorView &a = call.inputs[0], &b = call.inputs[1];
    auto* packed = reinterpret_cast<int8_t*>(space);
    auto* sums = reinterpret_cast<int32_t*>(space + packed_space());
    auto* start = reinterpret_cast<int32_t*>(space + packed_space() + vector_space());
    const bool is_signed = a.dtype == DType::kI8;
    const auto index = static_cast<size_t>(item);
    pack_int8_rows(static_cast<const uint8_t*>(b.data) + b_items_[index], b_stride_, b.dtype == DType::kI8, k_, n_,
                   packed, sums);
    const auto zero = static_cast<uint32_t>(a_zero_ + bytes_.shift(is_signed));
    for (int64_t c = 0; c < n_; ++c) {
      const uint32_t bias = epilogue.start ? static_cast<uint32_t>(epilogue.start[c]) : 0;
      start[c] = static_cast<int32_t>(bias - zero * static_cast<uint32_t>(sums[c]));
    }
    epilogue.start = start;
    const MatrixRows left(static_cast<const uint8_t*>(a.data) + a_items_[index], a_stride_, k_, 1,
                          bytes_.flips(is_signed));
    const Int8Product product{.rows = m_,
                              .columns = n_,
                              .terms = k_,
                              .left = &left,
                              .kind = bytes_.kind(is_signed, left.in_place()),
                              .in_tiles = bytes_.in_tiles(),
                              .packed = packed,
                              .out = call.outputs[0].data,
                              .out_stride = out_stride_,
                              .first_row = item * m_};
    product_int8(product, epilogue, threads, space + packed_space() + 2 * vector_space());
  }

  // Where the matrices lie, in row-major order of the leading axes.
  std::vector<int64_t> item_offsets(const TensorView& v) const {
    std::vector<int64_t> offsets;
    for (int64_t item = 0; item < items_; ++item) {
      int64_t rest = item, at = 0;
      for (int axis = v.rank - 2; axis-- > 0; rest /= v.dims[axis]) at += rest % v.dims[axis] * v.strides[axis];
      offsets.push_back(at);
    }
    return offsets;
  }

  // The last two axes, whose elements are adjacent along the last.
  static bool read_matrix(const TensorView& v, int64_t rows, int64_t columns, int64_t& stride) noexcept {
    if (!is_byte(v) || !is_plain(v) || v.rank < 2 || v.dims[v.rank - 2] != rows || v.dims[v.rank - 1] != columns)
      return false;
    stride = v.strides[v.rank - 2];
    return columns == 1 || v.strides[v.rank - 1] == 1;
  }

  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 5 || call.outputs.size() != 1 || call.inputs[4].present())
      return {Code::kMalformedPlan, "a product of bytes has five operands or more, of which the last is absent"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &out = call.outputs[0];
    if (!is_plain(out) || a.rank < 2 || a.rank != b.rank || a.rank != out.rank)
      return {Code::kMalformedPlan, "the operands of a product of bytes have other numbers of axes"};
    m_ = a.dims[a.rank - 2];
    k_ = a.dims[a.rank - 1];
    n_ = b.dims[b.rank - 1];
    if (!read_matrix(a, m_, k_, a_stride_) || !read_matrix(b, k_, n_, b_stride_))
      return {Code::kMalformedPlan, "an operand of a product of bytes has no adjacent columns"};
    items_ = extent(out, 0, out.rank - 2);
    for (int i = 0; i < out.rank - 2; ++i)
      if (a.dims[i] != out.dims[i] || b.dims[i] != out.dims[i])
        return {Code::kShapeMismatch, "the operands of a product of bytes do not fit each other"};
    const auto rows = matrix_of(out);
    if (!rows || rows->rows != items_ * m_ || rows->columns != n_ || !checked_mul(int8_terms(k_), int8_columns(n_)))
      return {Code::kShapeMismatch, "the result of a product of bytes has another shape"};
    out_stride_ = rows->stride;
    return kOkStatus;
  }

  int32_t a_zero_;
  RowsOfBytes bytes_;
  SumOperands sums_;
  std::vector<int64_t> a_items_, b_items_;
  int64_t items_ = 0, m_ = 0, n_ = 0, k_ = 0, a_stride_ = 0, b_stride_ = 0, out_stride_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_gemm_int8_batched(const Attributes& parameters) {
  return std::make_unique<GemmInt8Batched>(read_parameters<GemmInt8BatchedParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
