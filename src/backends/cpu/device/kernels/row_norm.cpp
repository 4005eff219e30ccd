// Kernel "row_norm": layer or RMS normalisation over the axes from `axis` on, float32. Inputs: x, scale, bias (may be absent).
// Results: y, mean, inverse deviation (may be absent). Parameters: axis, epsilon, subtract_mean.
#include "backends/cpu/device/compute/normalize.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

class RowNormKernel final : public DenseKernel {
 public:
  explicit RowNormKernel(const Attributes& p) : axis_(p.integer("axis")) {
    norm_.epsilon = static_cast<float>(p.real("epsilon"));
    norm_.subtract_mean = p.integer("subtract_mean", 1) != 0;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() < 2 || call.inputs.size() > 3 || call.outputs.empty() || call.outputs.size() > 3)
      return {Code::kMalformedPlan, "row_norm has other operands"};
    for (const auto& list : {call.inputs, call.outputs})
      for (const TensorView& v : list)
        if (v.present() && v.dtype != DType::kF32) return {Code::kMalformedPlan, "row_norm computes in float32"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (!same_dims(x, y) || axis_ < 0 || axis_ >= x.rank) return {Code::kShapeMismatch, "row_norm has no such axis"};
    norm_.rows = extent(x, 0, static_cast<int>(axis_));
    norm_.n = extent(x, static_cast<int>(axis_), x.rank);
    for (size_t i = 1; i < call.inputs.size(); ++i)
      if (call.inputs[i].present() && call.inputs[i].elements() != norm_.n)
        return {Code::kShapeMismatch, "scale or bias of row_norm has another size than a row"};
    for (size_t i = 1; i < call.outputs.size(); ++i)
      if (call.outputs[i].present() && call.outputs[i].elements() != norm_.rows)
        return {Code::kShapeMismatch, "the statistics of row_norm have another size"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    if (norm_.rows == 0) return kOkStatus;
    norm_.scale = static_cast<const float*>(call.inputs[1].data);
    norm_.bias =
        call.inputs.size() > 2 && call.inputs[2].present() ? static_cast<const float*>(call.inputs[2].data) : nullptr;
    norm_.mean = statistic(call, 1);
    norm_.inverse_deviation = statistic(call, 2);
    normalize_rows(norm_, static_cast<const float*>(call.inputs[0].data), norm_.n,
                   static_cast<float*>(call.outputs[0].data), norm_.n, thread_count());
    return kOkStatus;
  }
  static float* statistic(const KernelCall& call, size_t i) {
    return i < call.outputs.size() && call.outputs[i].present() ? static_cast<float*>(call.outputs[i].data) : nullptr;
  }

  int64_t axis_;
  RowNorm norm_;
};

}  // namespace

std::unique_ptr<Kernel> make_row_norm(const Attributes& parameters) {
  return std::make_unique<RowNormKernel>(parameters);
}

}  // namespace kiln::cpu::kernels
