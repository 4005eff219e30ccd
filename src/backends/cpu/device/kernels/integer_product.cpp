// Kernel "integer_product": matrix products of bytes. Inputs: a [..., m, k], b [..., k, n], their zero points (may be absent), then
// either nothing more (the result is int32), or scales of a and b, scale and zero point of the result (bytes).
#include "backends/cpu/device/compute/integer_product.h"

#include <vector>

#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/index.h"
#include "device/parameter_fields.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kRows = 64;  // whose sums are kept at once
constexpr double kNanosecondsPerProductTerm = 0.02;

class IntegerProduct final : public DenseKernel {
 public:
  explicit IntegerProduct(const NoParameters&) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    const bool quantizes = call.inputs.size() == 8;
    if ((call.inputs.size() != 4 && !quantizes) || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product of bytes has other operands"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
    if (!is_byte(a) || !is_byte(b) || (quantizes ? !is_byte(y) : y.dtype != DType::kI32))
      return {Code::kMalformedPlan, "a product of bytes has operands of other types"};
    if (a.rank < 2 || b.rank < 2 || y.rank < 2) return {Code::kShapeMismatch, "a product of bytes takes matrices"};
    m_ = a.dims[a.rank - 2], k_ = a.dims[a.rank - 1], n_ = b.dims[b.rank - 1];
    if (b.dims[b.rank - 2] != k_ || y.dims[y.rank - 2] != m_ || y.dims[y.rank - 1] != n_ || !match_batches(a, b, y))
      return {Code::kShapeMismatch, "the operands of a product of bytes do not fit each other"};
    bool sound = ZeroPoint::fits(call.inputs[2], m_) && ZeroPoint::fits(call.inputs[3], n_);
    for (size_t i = 4; i < call.inputs.size(); ++i)
      sound = sound && (i == 7 ? call.inputs[i].dtype == y.dtype : call.inputs[i].dtype == DType::kF32) &&
              PerIndex<float>::fits(call.inputs[i], i == 5 ? n_ : m_);
    return sound ? kOkStatus : Status{Code::kMalformedPlan, "a scale or zero point of a product of bytes does not fit"};
  }

  // Where the matrices of each product lie, counted in matrices.
  bool match_batches(const TensorView& a, const TensorView& b, const TensorView& y) {
    if (y.rank != std::max(a.rank, b.rank)) return false;
    pairs_.assign(static_cast<size_t>(extent(y, 0, y.rank - 2)), {0, 0});
    for (const bool left : {true, false}) {
      const TensorView& v = left ? a : b;
      int64_t step = 1, inner = 1;
      for (int i = y.rank - 2; i-- > 0;) {
        const int own = i - (y.rank - v.rank);
        const int64_t d = own >= 0 ? v.dims[own] : 1;
        if (d != 1 && d != y.dims[i]) return false;
        for (size_t p = 0; p < pairs_.size() && d != 1; ++p)
          (left ? pairs_[p].first : pairs_[p].second) += static_cast<int64_t>(p) / inner % d * step;
        step *= d;
        inner *= y.dims[i];
      }
    }
    return true;
  }

  double nanoseconds(const KernelCall& call) const {
    return kNanosecondsPerProductTerm * static_cast<double>(call.outputs[0].elements()) * static_cast<double>(k_);
  }
  int64_t terms() const { return paired(k_); }
  size_t left_bytes(const KernelCall& call) const {
    return cache_lines(extent(call.inputs[0], 0, call.inputs[0].rank - 1) * terms() * 2);
  }
  size_t own_bytes() const { return cache_lines(terms() * kIntegerPanel * 2) + kRows * kIntegerPanel * 4; }
  size_t workspace_dense(const KernelCall& call) override {
    if (!prepare_dense(call).ok()) return kNoWorkspace;
    if (call.outputs[0].elements() == 0) return 0;
    return left_bytes(call) + own_bytes() * static_cast<size_t>(thread_count());
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    if (call.outputs[0].elements() == 0) return kOkStatus;
    const int parts = useful_threads(thread_count(), nanoseconds(call));
    if (call.workspace_size < left_bytes(call) + own_bytes() * static_cast<size_t>(parts))
      return {Code::kMalformedPlan, "the workspace of a product of bytes is too small"};
    auto* left = static_cast<int16_t*>(call.workspace);
    center_left(call, left, parts);
    const int64_t panels = (n_ + kIntegerPanel - 1) / kIntegerPanel;
    parallel_pieces(parts, nanoseconds(call), static_cast<int64_t>(pairs_.size()) * panels,
                    [&](int64_t begin, int64_t end, int part) {
                      auto* own = static_cast<uint8_t*>(call.workspace) + left_bytes(call) +
                                  own_bytes() * static_cast<size_t>(part);
                      for (int64_t i = begin; i < end; ++i)
                        run_panel(call, left, i / panels, i % panels * kIntegerPanel, own);
                    });
    return kOkStatus;
  }

  void center_left(const KernelCall& call, int16_t* left, int parts) const {
    const TensorView& a = call.inputs[0];
    const auto* from = static_cast<const uint8_t*>(a.data);
    const ZeroPoint zero(call.inputs[2]);
    parallel_ranges(parts, extent(a, 0, a.rank - 1), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        center(from + r * k_, a.dtype == DType::kI8, zero[r % m_], left + r * terms(), k_);
        if (k_ % 2) left[r * terms() + k_] = 0;
      }
    });
  }

  void pack(const KernelCall& call, int64_t matrix, int64_t column, int64_t columns, int16_t* panel) const {
    const TensorView& b = call.inputs[1];
    const auto* from = static_cast<const uint8_t*>(b.data) + matrix * k_ * n_ + column;
    const ZeroPoint zero(call.inputs[3]);
    int16_t zeros[kIntegerPanel] = {}, line[kIntegerPanel] = {};
    for (int64_t j = 0; j < columns; ++j) zeros[j] = zero[column + j];
    for (int64_t t = 0; t < terms(); ++t) {
      if (t < k_) center(from + t * n_, b.dtype == DType::kI8, 0, line, columns);
      for (int64_t j = 0; j < kIntegerPanel; ++j)
        panel[(t / 2 * kIntegerPanel + j) * 2 + t % 2] =
            t < k_ && j < columns ? static_cast<int16_t>(line[j] - zeros[j]) : int16_t{0};
    }
  }

  void run_panel(const KernelCall& call, const int16_t* left, int64_t product, int64_t column, uint8_t* own) const {
    const auto [a, b] = nth(pairs_, product);
    const int64_t columns = std::min(kIntegerPanel, n_ - column);
    auto* panel = reinterpret_cast<int16_t*>(own);
    auto* sums = reinterpret_cast<int32_t*>(own + cache_lines(terms() * kIntegerPanel * 2));
    pack(call, b, column, columns, panel);
    for (int64_t row = 0; row < m_; row += kRows) {
      const int64_t rows = std::min(kRows, m_ - row);
      multiply_panel(left + (a * m_ + row) * terms(), rows, terms(), panel, sums);
      for (int64_t i = 0; i < rows; ++i)
        store(call, sums + i * kIntegerPanel, row + i, column, columns, (product * m_ + row + i) * n_ + column);
    }
  }

  static void store(const KernelCall& call, const int32_t* sums, int64_t row, int64_t column, int64_t columns,
                    int64_t at) {
    const TensorView& y = call.outputs[0];
    if (call.inputs.size() == 4) {
      std::copy(sums, sums + columns, static_cast<int32_t*>(y.data) + at);
      return;
    }
    const float a_scale = PerIndex<float>(call.inputs[4])[row], y_scale = PerIndex<float>(call.inputs[6])[row];
    const PerIndex<float> b_scale(call.inputs[5]);
    const int16_t zero = ZeroPoint(call.inputs[7])[row];
    for (int64_t j = 0; j < columns; ++j)
      static_cast<uint8_t*>(y.data)[at + j] =
          quantized(sums[j], a_scale * b_scale[column + j] / y_scale, zero, y.dtype == DType::kI8);
  }

  int64_t m_ = 0, k_ = 0, n_ = 0;
  std::vector<std::pair<int64_t, int64_t>> pairs_;
};

}  // namespace

std::unique_ptr<Kernel> make_integer_product(const Attributes& p) {
  return std::make_unique<IntegerProduct>(read_parameters<NoParameters>(p));
}

}  // namespace kiln::cpu::kernels
