// Kernel "gather_dequantized": slices of a table of packed integers along `axis`, chosen by indices, as (integer - zero point) * scale.
// Inputs: the table's bytes, int32 or int64 indices, scales, and zero points packed like the table (absent: zero).
#include "device/gather_dequantized.h"

#include <atomic>

#include "backends/cpu/device/compute/codes.h"
#include "backends/cpu/device/kernels/indexed.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/views.h"
#include "base/error.h"
#include "base/index.h"

namespace kiln::cpu::kernels {
namespace {

constexpr double kNanosecondsPerElement = 0.25;

class GatherDequantized final : public DenseKernel {
 public:
  explicit GatherDequantized(GatherDequantizedParameters p)
      : given_(std::move(p)),
        dims_(given_.dims),
        scale_strides_(given_.scale_strides),
        zero_strides_(given_.zero_strides),
        axis_(given_.axis),
        block_axis_(given_.block_axis),
        block_(given_.block) {
    codes_.bits = static_cast<int>(given_.bits);
    codes_.flip = given_.is_signed ? 1 << (given_.bits - 1) : 0;
    zero_strides_.resize(dims_.size(), 0);
    if (axis_ == last())  // one element is a row
      for (auto* list : {&dims_, &scale_strides_, &zero_strides_}) list->push_back(list == &dims_ ? 1 : 0);
  }

 private:
  int64_t last() const { return static_cast<int64_t>(dims_.size()) - 1; }
  int64_t counted(int64_t axis, int64_t index) const { return axis == block_axis_ ? index / block_ : index; }

  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check_gather_dequantized(given_, call));
    has_zeros_ = call.inputs.size() == 4;
    outer_ = inner_rows_ = 1;
    for (int64_t axis = 0; axis < axis_; ++axis) outer_ *= nth(dims_, axis);
    for (int64_t axis = axis_ + 1; axis < last(); ++axis) inner_rows_ *= nth(dims_, axis);
    count_ = call.inputs[1].elements();
    return kOkStatus;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    std::atomic<bool> outside{false};
    const int64_t rows = outer_ * count_ * inner_rows_;
    const int threads = useful_threads(
        thread_count(), kNanosecondsPerElement * static_cast<double>(rows) * static_cast<double>(dims_.back() + 32));
    with_indices(call.inputs[1], [&](const auto* indices) {
      parallel_ranges(threads, rows, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t slice = row / inner_rows_;
          const int64_t index = place_index(indices[slice % count_], nth(dims_, axis_));
          if (index < 0) outside.store(true, std::memory_order_relaxed);
          else take(call, row, (slice / count_ * nth(dims_, axis_) + index) * inner_rows_ + row % inner_rows_);
        }
      });
    });
    return outside ? Status{Code::kInvalidArgument, "an index of Gather is outside its axis"} : kOkStatus;
  }

  // Row `to` of the result is row `from` of the table.
  void take(const KernelCall& call, int64_t to, int64_t from) const noexcept {
    int64_t scale = 0, zero = 0, rest = from;
    for (int64_t axis = last(); axis-- > 0;) {
      const int64_t index = counted(axis, rest % nth(dims_, axis));
      rest /= nth(dims_, axis);
      scale += index * nth(scale_strides_, axis);
      zero += index * nth(zero_strides_, axis);
    }
    const int64_t length = dims_.back();
    const auto* scales = static_cast<const float*>(call.inputs[2].data) + scale;
    auto* out = static_cast<float*>(call.outputs[0].data) + to * length;
    Codes table = codes_, zeros = codes_;
    table.bytes = static_cast<const uint8_t*>(call.inputs[0].data);
    if (has_zeros_) zeros.bytes = static_cast<const uint8_t*>(call.inputs[3].data);
    const int64_t scale_step = scale_strides_.back(), zero_step = zero_strides_.back();
    const int64_t run = scale_step == 0 && zero_step == 0 ? length : block_axis_ == last() ? block_ : 1;
    for (int64_t i = 0, k = 0; i < length; i += std::min(run, length - i), ++k)
      dequantize_codes(table, from * length + i, std::min(run, length - i),
                       has_zeros_ ? zeros.at(zero + k * zero_step) : codes_.flip, scales[k * scale_step], out + i);
  }

  const GatherDequantizedParameters given_;
  Dims dims_;
  Ints scale_strides_, zero_strides_;
  Codes codes_;
  int64_t axis_, block_axis_, block_;
  int64_t outer_ = 0, inner_rows_ = 0, count_ = 0;
  bool has_zeros_ = false;
};

}  // namespace

std::unique_ptr<Kernel> make_gather_dequantized(const Attributes& parameters) {
  return std::make_unique<GatherDequantized>(read_parameters<GatherDequantizedParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
