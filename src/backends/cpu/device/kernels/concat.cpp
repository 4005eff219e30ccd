// Kernels "concat" and "split": parts of a tensor along `axis`. A part that already lies in its place is not copied.
#include "backends/cpu/device/compute/transpose.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

class Parts final : public Kernel {
 public:
  Parts(const Attributes& p, bool join) : axis_(p.integer("axis")), join_(join) {}

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
      for (const TensorView& part : parts) {
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
      if (join_)
        copies_[i].copy.run(call.inputs[i].data, static_cast<uint8_t*>(call.outputs[0].data) + copies_[i].offset);
      else
        copies_[i].copy.run(static_cast<const uint8_t*>(call.inputs[0].data) + copies_[i].offset, call.outputs[i].data);
    }
    return kOkStatus;
  }

  Sharing sharing() const noexcept override { return join_ ? Sharing::kParts : Sharing::kNothing; }

 private:
  struct Part {
    StridedCopy copy;
    int64_t offset;  // bytes, in the whole
  };
  int64_t axis_;
  bool join_;
  std::vector<Part> copies_;
};

}  // namespace

std::unique_ptr<Kernel> make_concat(const Attributes& parameters) { return std::make_unique<Parts>(parameters, true); }
std::unique_ptr<Kernel> make_split(const Attributes& parameters) { return std::make_unique<Parts>(parameters, false); }

}  // namespace kiln::cpu::kernels
