// Kernels "concat" and "split": parts of a tensor along `axis`. A part that already lies in its place is not copied.
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/kernels/strided_copy.h"
#include "device/movement_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class Parts final : public Kernel {
 public:
  Parts(Gpu& gpu, const AxisParameters& p, bool join) : gpu_(gpu), axis_(p.axis), join_(join) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      const auto& wholes = join_ ? call.outputs : call.inputs;
      const auto& parts = join_ ? call.inputs : call.outputs;
      if (wholes.size() != 1 || parts.empty()) return {Code::kMalformedPlan, "there are no parts"};
      const TensorView& whole = wholes[0];
      const int size = element_bytes(whole.dtype);
      if (!is_plain(whole) || size == 0 || axis_ < 0 || axis_ >= whole.rank)
        return {Code::kMalformedPlan, "a tensor cannot be cut along this axis"};
      copies_.clear();
      int64_t at = 0;
      for (const TensorView& part : parts) {
        if (!part.present()) return {Code::kMalformedPlan, "a part is absent"};
        if (!is_plain(part) || part.dtype != whole.dtype || part.rank != whole.rank)
          return {Code::kMalformedPlan, "a part differs from the whole in type or rank"};
        for (int i = 0; i < whole.rank; ++i)
          if (i != axis_ && part.dims[i] != whole.dims[i])
            return {Code::kShapeMismatch, "a part differs from the whole in another axis"};
        const auto rank = static_cast<size_t>(whole.rank);
        const std::span<const int64_t> dims(part.dims, rank), own(part.strides, rank), other(whole.strides, rank);
        copies_.push_back(
            {join_ ? StridedCopy(gpu_, dims, own, other, size) : StridedCopy(gpu_, dims, other, own, size),
             at * whole.strides[axis_] * size});
        at += part.dims[axis_];
      }
      return at == whole.dims[axis_] ? kOkStatus : Status{Code::kShapeMismatch, "the parts do not add up to the whole"};
    });
  }

  Sharing sharing() const noexcept override { return join_ ? Sharing::kParts : Sharing::kNothing; }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    for (size_t i = 0; i < copies_.size(); ++i) {
      const auto& [copy, offset] = copies_[i];
      KILN_RETURN_IF_ERROR(
          join_ ? copy.run(stream, call.inputs[i].data, static_cast<uint8_t*>(call.outputs[0].data) + offset)
                : copy.run(stream, static_cast<const uint8_t*>(call.inputs[0].data) + offset, call.outputs[i].data));
    }
    return kOkStatus;
  }

 private:
  struct Part {
    StridedCopy copy;
    int64_t offset;  // bytes, in the whole
  };
  Gpu& gpu_;
  int64_t axis_;
  bool join_;
  std::vector<Part> copies_;
};

}  // namespace

std::unique_ptr<Kernel> make_concat(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Parts>(gpu, read_parameters<AxisParameters>(parameters), true);
}
std::unique_ptr<Kernel> make_split(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Parts>(gpu, read_parameters<AxisParameters>(parameters), false);
}

}  // namespace kiln::cuda::kernels
