// Kernel "row_norm": layer or RMS normalisation over the axes from `axis` on, float32 or float64. Inputs: x, scale, bias (may be absent).
// Results: y, mean, inverse deviation (may be absent). Parameters: axis, epsilon, subtract_mean.
#include "backends/cpu/device/compute/normalize.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class RowNormKernel final : public DenseKernel {
 public:
  explicit RowNormKernel(const RowNormParameters& p)
      : axis_(p.axis), epsilon_(p.epsilon), subtract_mean_(p.subtract_mean) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() < 2 || call.inputs.size() > 3 || call.outputs.empty() || call.outputs.size() > 3)
      return {Code::kMalformedPlan, "row_norm has other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    for (const auto& list : {call.inputs, call.outputs})
      for (const TensorView& v : list)
        if (v.present() && ((v.dtype != DType::kF32 && v.dtype != DType::kF64) || v.dtype != x.dtype))
          return {Code::kMalformedPlan, "row_norm computes in float32 or in float64"};
    if (!same_dims(x, y) || axis_ < 0 || axis_ >= x.rank) return {Code::kShapeMismatch, "row_norm has no such axis"};
    rows_ = extent(x, 0, static_cast<int>(axis_));
    n_ = extent(x, static_cast<int>(axis_), x.rank);
    for (size_t i = 1; i < call.inputs.size(); ++i)
      if (call.inputs[i].present() && call.inputs[i].elements() != n_)
        return {Code::kShapeMismatch, "scale or bias of row_norm has another size than a row"};
    for (size_t i = 1; i < call.outputs.size(); ++i)
      if (call.outputs[i].present() && call.outputs[i].elements() != rows_)
        return {Code::kShapeMismatch, "the statistics of row_norm have another size"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    if (rows_ == 0) return kOkStatus;
    if (call.inputs[0].dtype == DType::kF32) run<float>(call);
    else run<double>(call);
    return kOkStatus;
  }
  template <class T> void run(const KernelCall& call) const noexcept {
    RowNormOf<T> norm;
    norm.rows = rows_, norm.n = n_;
    norm.epsilon = epsilon_, norm.subtract_mean = subtract_mean_;
    norm.scale = static_cast<const T*>(call.inputs[1].data);
    norm.bias =
        call.inputs.size() > 2 && call.inputs[2].present() ? static_cast<const T*>(call.inputs[2].data) : nullptr;
    norm.mean = statistic<T>(call, 1);
    norm.inverse_deviation = statistic<T>(call, 2);
    normalize_rows(norm, static_cast<const T*>(call.inputs[0].data), n_, static_cast<T*>(call.outputs[0].data), n_,
                   thread_count());
  }
  template <class T> static T* statistic(const KernelCall& call, size_t i) {
    return i < call.outputs.size() && call.outputs[i].present() ? static_cast<T*>(call.outputs[i].data) : nullptr;
  }

  int64_t axis_;
  double epsilon_;
  bool subtract_mean_;
  int64_t rows_ = 0, n_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_row_norm(const Attributes& parameters) {
  return std::make_unique<RowNormKernel>(read_parameters<RowNormParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
