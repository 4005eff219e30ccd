// Kernel "gather_dequantized": slices of a table of packed integers along `axis`, chosen by indices, as (integer - zero point) * scale.
// Inputs: the table's bytes, int32 or int64 indices, scales, and zero points packed like the table (absent: zero).
#include "backends/cpu/device/kernels/gather_dequantized.h"

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
      : dims_(std::move(p.dims)),
        scale_strides_(std::move(p.scale_strides)),
        zero_strides_(std::move(p.zero_strides)),
        axis_(p.axis),
        block_axis_(p.block_axis),
        block_(p.block),
        size_(element_count(dims_)) {
    codes_.bits = static_cast<int>(p.bits);
    codes_.flip = p.is_signed ? 1 << (p.bits - 1) : 0;
    zero_strides_.resize(dims_.size(), 0);
    if (axis_ == last())  // one element is a row
      for (auto* list : {&dims_, &scale_strides_, &zero_strides_}) list->push_back(list == &dims_ ? 1 : 0);
  }

 private:
  int64_t last() const { return static_cast<int64_t>(dims_.size()) - 1; }
  int64_t bytes_of(int64_t codes) const { return (codes * codes_.bits + 7) / 8; }
  int64_t counted(int64_t axis, int64_t index) const { return axis == block_axis_ ? index / block_ : index; }

  // Parameters that these strides reach; nothing when they are none.
  std::optional<int64_t> reach(const Ints& strides) const {
    std::optional<int64_t> most = 0;
    for (int64_t axis = 0; axis <= last() && most; ++axis) {
      const auto step = checked_mul(counted(axis, nth(dims_, axis) - 1), nth(strides, axis));
      most = step ? checked_add(*most, *step) : std::nullopt;
    }
    return most ? checked_add(*most, 1) : std::nullopt;
  }

  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() < 3 || call.inputs.size() > 4 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "gather_dequantized has other operands"};
    const TensorView &table = call.inputs[0], &indices = call.inputs[1], &out = call.outputs[0];
    has_zeros_ = call.inputs.size() == 4;
    if (table.dtype != DType::kU8 || !is_index(indices) || !is_f32(out) ||
        (has_zeros_ && call.inputs[3].dtype != DType::kU8))
      return {Code::kMalformedPlan, "gather_dequantized has operands of other types"};
    const auto scales = reach(scale_strides_), zeros = reach(zero_strides_);
    if (!scales || !zeros || table.elements() != bytes_of(size_) || !is_f32(call.inputs[2]) ||
        *scales > call.inputs[2].elements() ||
        (has_zeros_ && (*zeros > size_ || bytes_of(*zeros) > call.inputs[3].elements())))
      return {Code::kShapeMismatch, "a table of integers or its parameters have another size"};
    outer_ = inner_rows_ = 1;
    for (int64_t axis = 0; axis < axis_; ++axis) outer_ *= nth(dims_, axis);
    for (int64_t axis = axis_ + 1; axis < last(); ++axis) inner_rows_ *= nth(dims_, axis);
    count_ = indices.elements();
    const auto rows = checked_mul(outer_ * inner_rows_, count_);
    const auto elements = rows ? checked_mul(*rows, dims_.back()) : std::nullopt;
    if (!elements || out.elements() != *elements)
      return {Code::kShapeMismatch, "the result of gather_dequantized has another size"};
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

  Dims dims_;
  Ints scale_strides_, zero_strides_;
  Codes codes_;
  int64_t axis_, block_axis_, block_, size_;
  int64_t outer_ = 0, inner_rows_ = 0, count_ = 0;
  bool has_zeros_ = false;
};

}  // namespace

void GatherDequantizedParameters::check() const {
  const auto size = checked_element_count(dims);
  if (dims.empty() || !size || !checked_mul(*size, 8))
    throw Error(Code::kMalformedPlan, "a table of integers has no size");
  if (bits != 2 && bits != 4 && bits != 8)
    throw Error(Code::kMalformedPlan, "a table of integers of " + std::to_string(bits) + " bits");
  const auto rank = static_cast<int64_t>(dims.size());
  if (axis >= rank || block_axis >= rank || scale_strides.size() != dims.size() ||
      (!zero_strides.empty() && zero_strides.size() != dims.size()))
    throw Error(Code::kMalformedPlan, "the parameters of a table have another rank");
}

std::unique_ptr<Kernel> make_gather_dequantized(const Attributes& parameters) {
  return std::make_unique<GatherDequantized>(read_parameters<GatherDequantizedParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
