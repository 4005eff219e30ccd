// Kernel "hardmax": 1 at the first largest element along an axis of float32, 0 elsewhere; NaN is the largest. Parameter: axis.
#include <cmath>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class Hardmax final : public DenseKernel {
 public:
  explicit Hardmax(const AxisParameters& p) : axis_(p.axis) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1 || call.inputs[0].dtype != DType::kF32 ||
        call.outputs[0].dtype != DType::kF32)
      return {Code::kMalformedPlan, "hardmax computes in float32"};
    const TensorView& in = call.inputs[0];
    if (!same_dims(in, call.outputs[0]) || axis_ < 0 || axis_ >= in.rank)
      return {Code::kShapeMismatch, "hardmax has no such axis"};
    outer_ = extent(in, 0, static_cast<int>(axis_));
    n_ = in.dims[axis_];
    inner_ = extent(in, static_cast<int>(axis_) + 1, in.rank);
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    if (n_ == 0) return kOkStatus;
    const auto* x = static_cast<const float*>(call.inputs[0].data);
    auto* y = static_cast<float*>(call.outputs[0].data);
    const int threads = useful_threads(thread_count(), static_cast<double>(outer_ * inner_) * static_cast<double>(n_));
    parallel_ranges(threads, outer_ * inner_, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t at = line / inner_ * n_ * inner_ + line % inner_;
        int64_t best = 0;
        for (int64_t i = 1; i < n_ && !std::isnan(x[at + best * inner_]); ++i)
          if (const float v = x[at + i * inner_]; std::isnan(v) || v > x[at + best * inner_]) best = i;
        for (int64_t i = 0; i < n_; ++i) y[at + i * inner_] = i == best ? 1.0f : 0.0f;
      }
    });
    return kOkStatus;
  }

  int64_t axis_;
  int64_t outer_ = 0, n_ = 0, inner_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_hardmax(const Attributes& p) {
  return std::make_unique<Hardmax>(read_parameters<AxisParameters>(p));
}

}  // namespace kiln::cpu::kernels
