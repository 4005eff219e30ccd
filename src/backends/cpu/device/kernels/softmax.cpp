// Kernel "softmax": softmax or its logarithm along one axis of float32 or float64. Parameters: axis, logarithm.
#include "backends/cpu/device/compute/softmax.h"

#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class Softmax final : public DenseKernel {
 public:
  explicit Softmax(const SoftmaxParameters& p) : axis_(p.axis), logarithm_(p.logarithm) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "softmax has one input and one result"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if ((in.dtype != DType::kF32 && in.dtype != DType::kF64) || out.dtype != in.dtype)
      return {Code::kMalformedPlan, "softmax computes in float32 and float64"};
    if (!same_dims(in, out) || axis_ < 0 || axis_ >= in.rank) return {Code::kShapeMismatch, "softmax has no such axis"};
    const int axis = static_cast<int>(axis_);
    outer_ = extent(in, 0, axis);
    n_ = in.dims[axis];
    inner_ = extent(in, axis + 1, in.rank);
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    if (outer_ * n_ * inner_ == 0) return kOkStatus;
    if (call.inputs[0].dtype == DType::kF32) run<float>(call);
    else run<double>(call);
    return kOkStatus;
  }
  template <class T> void run(const KernelCall& call) const noexcept {
    softmax_middle(logarithm_, outer_, n_, inner_, static_cast<const T*>(call.inputs[0].data),
                   static_cast<T*>(call.outputs[0].data), thread_count());
  }

  int64_t axis_;
  bool logarithm_;
  int64_t outer_ = 0, n_ = 0, inner_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_softmax(const Attributes& parameters) {
  return std::make_unique<Softmax>(read_parameters<SoftmaxParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
