// Kernels "shape" (parameters first, last: the dimensions [first, last) of the input) and "size" (its number of elements).
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

class Shape final : public Kernel {
 public:
  Shape(bool size, int64_t first, int64_t last) : size_(size), first_(first), last_(last) {}

  Status prepare(const KernelCall& call) noexcept override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1 || call.inputs[0].slot || call.inputs[0].rank < 0)
      return {Code::kMalformedPlan, "shape has one input and one result"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if (!is_plain(out) || !out.is_dense() || out.dtype != DType::kI64)
      return {Code::kMalformedPlan, "a shape is a dense tensor of int64"};
    const bool fits = size_ ? out.elements() == 1
                            : first_ >= 0 && last_ <= in.rank && out.elements() == std::max<int64_t>(last_ - first_, 0);
    return fits ? kOkStatus : Status{Code::kShapeMismatch, "the result of shape has another size"};
  }
  Status launch(Stream&, const KernelCall& call) noexcept override {
    const TensorView& in = call.inputs[0];
    auto* to = static_cast<int64_t*>(call.outputs[0].data);
    if (size_) *to = in.elements();
    else
      for (int64_t i = first_; i < last_; ++i) to[i - first_] = in.dims[i];
    return kOkStatus;
  }

 private:
  bool size_;
  int64_t first_, last_;
};

}  // namespace

std::unique_ptr<Kernel> make_shape(const Attributes& parameters) {
  const auto p = read_parameters<ShapeParameters>(parameters);
  return std::make_unique<Shape>(false, p.first, p.last);
}
std::unique_ptr<Kernel> make_size(const Attributes& parameters) {
  (void)read_parameters<NoParameters>(parameters);
  return std::make_unique<Shape>(true, 0, 0);
}

}  // namespace kiln::cpu::kernels
