// Kernel "cumulative_late": running sums or products along the axis that the second operand (int32 or int64) holds. Parameters product,
// exclusive, reverse.
#include "backends/cuda/device/cu/cumulative_late.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class LateCumulative final : public DenseKernel {
 public:
  LateCumulative(Gpu& gpu, const CumulativeParameters& p) : DenseKernel(gpu) {
    arguments_.product = p.product;
    arguments_.exclusive = p.exclusive;
    arguments_.reverse = p.reverse;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a running sum along a late axis has two operands and one result"};
    const TensorView &x = call.inputs[0], &axis = call.inputs[1], &y = call.outputs[0];
    const char* suffix = number_suffix(x.dtype);
    if (!suffix || y.dtype != x.dtype || (axis.dtype != DType::kI32 && axis.dtype != DType::kI64))
      return {Code::kMalformedPlan, "there are no running sums of this type"};
    if (!same_dims(x, y) || axis.elements() != 1)
      return {Code::kShapeMismatch, "the operands of a running sum do not fit each other"};
    if (x.rank > kMaxAxes) return {Code::kUnsupported, "a running sum along a late axis has too many axes"};
    arguments_.count = x.elements();
    arguments_.rank = x.rank;
    std::copy(x.dims, x.dims + x.rank, arguments_.dims);
    arguments_.wide_axis = axis.dtype == DType::kI64;
    launch_ = {gpu_.function("cumulative_late", std::string("cumulative_late") + suffix)};
    launch_.threads = kLateLineThreads;
    launch_.grid[0] = blocks_for(x.elements(), kLateLineThreads);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    const void *x = call.inputs[0].data, *axis = call.inputs[1].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, axis, y);
  }

  LateCumulativeArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_cumulative_late(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<LateCumulative>(gpu, read_parameters<CumulativeParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
