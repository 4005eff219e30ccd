// Kernels "concat" and "split": parts of a tensor along `axis`. A part that already lies in its place is not copied. Parts that nobody
// reads are absent; `sizes` are those of the parts along the axis, -1 of those that follow from the others.
#include "backends/cpu/device/compute/transpose.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

class Parts final : public Kernel {
 public:
  Parts(SplitParameters p, bool join) : axis_(p.along.axis), sizes_(std::move(p.sizes)), join_(join) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      const auto& wholes = join_ ? call.outputs : call.inputs;
      const auto& parts = join_ ? call.inputs : call.outputs;
      if (wholes.empty() || parts.empty()) return {Code::kMalformedPlan, "there are no parts"};
      const TensorView& whole = wholes[0];
      const int size = element_bytes(whole.dtype);
      if (!is_plain(whole) || size == 0 || axis_ < 0 || axis_ >= whole.rank)
        return {Code::kMalformedPlan, "a tensor cannot be cut along this axis"};
      copies_.clear();
      int64_t at = 0;
      const std::optional<int64_t> open = absent_size(parts, whole.dims[axis_]);
      if (!open) return {Code::kShapeMismatch, "the parts do not add up to the whole"};
      for (size_t k = 0; k < parts.size(); ++k) {
        const TensorView& part = parts[k];
        if (!part.present()) {
          copies_.emplace_back();
          at += known_size(k).value_or(*open);
          continue;
        }
        if (!is_plain(part) || part.dtype != whole.dtype || part.rank != whole.rank)
          return {Code::kMalformedPlan, "a part differs from the whole in type or rank"};
        for (int i = 0; i < whole.rank; ++i)
          if (i != axis_ && part.dims[i] != whole.dims[i])
            return {Code::kShapeMismatch, "a part differs from the whole in another axis"};
        const auto rank = static_cast<size_t>(whole.rank);
        const std::span<const int64_t> dims(part.dims, rank), own(part.strides, rank), other(whole.strides, rank);
        copies_.push_back({join_ ? StridedCopy(dims, own, other, size, thread_count())
                                 : StridedCopy(dims, other, own, size, thread_count()),
                           at * whole.strides[axis_] * size});
        at += part.dims[axis_];
      }
      return at == whole.dims[axis_] ? kOkStatus : Status{Code::kShapeMismatch, "the parts do not add up to the whole"};
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    for (size_t i = 0; i < copies_.size(); ++i) {
      if (!copies_[i].copy) continue;
      if (join_)
        copies_[i].copy->run(call.inputs[i].data, static_cast<uint8_t*>(call.outputs[0].data) + copies_[i].offset);
      else
        copies_[i].copy->run(static_cast<const uint8_t*>(call.inputs[0].data) + copies_[i].offset,
                             call.outputs[i].data);
    }
    return kOkStatus;
  }

  Sharing sharing() const noexcept override { return join_ ? Sharing::kParts : Sharing::kNothing; }

 private:
  struct Part {
    std::optional<StridedCopy> copy;
    int64_t offset = 0;  // bytes, in the whole
  };

  std::optional<int64_t> known_size(size_t part) const {
    if (part >= sizes_.size() || sizes_[part] < 0) return std::nullopt;
    return sizes_[part];
  }

  // What is left for the absent part whose size is not known; nothing when there are several, or too little is left.
  std::optional<int64_t> absent_size(std::span<const TensorView> parts, int64_t extent) const {
    int64_t left = extent, open = 0;
    for (size_t k = 0; k < parts.size(); ++k) {
      const bool sized = parts[k].present() && axis_ < parts[k].rank;
      open += !sized && !known_size(k);
      if (__builtin_sub_overflow(left, sized ? parts[k].dims[axis_] : known_size(k).value_or(0), &left))
        return std::nullopt;
    }
    if (left < 0 || open > 1) return std::nullopt;
    return open == 1 ? left : 0;
  }

  int64_t axis_;
  Ints sizes_;
  bool join_;
  std::vector<Part> copies_;
};

}  // namespace

std::unique_ptr<Kernel> make_concat(const Attributes& parameters) {
  return std::make_unique<Parts>(SplitParameters{.along = read_parameters<AxisParameters>(parameters)}, true);
}
std::unique_ptr<Kernel> make_split(const Attributes& parameters) {
  return std::make_unique<Parts>(read_parameters<SplitParameters>(parameters), false);
}

}  // namespace kiln::cpu::kernels
