// Kernel "reduce": a reduction of float32 over axes. Parameters: kind (a ReduceKind), axes. Kernel "arg_extreme": the position of
// the largest or smallest element along an axis. Parameters: axis, largest, last.
#include "backends/cpu/device/compute/reduce.h"

#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int kMaxRank = 16;

class Reduce final : public DenseKernel {
 public:
  explicit Reduce(ReduceParameters p) : axes_(std::move(p.axes)), kind_(p.kind) {}

 private:
  bool takes(const KernelCall& call) const override {
    return call.outputs.size() == 1 && (call.outputs[0].rank == 0 || call.outputs[0].is_dense());
  }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1) return {Code::kMalformedPlan, "reduce has other operands"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if (in.dtype != DType::kF32 || out.dtype != DType::kF32 || in.rank > kMaxRank)
      return {Code::kMalformedPlan, "reduce takes float32 of at most 16 axes"};
    mask_ = 0;
    for (int64_t a : axes_) {
      if (a < 0 || a >= in.rank) return {Code::kShapeMismatch, "reduce has no such axis"};
      mask_ |= 1u << a;
    }
    int64_t kept = 1;
    for (int i = 0; i < in.rank; ++i)
      if (!(mask_ >> i & 1)) kept *= in.dims[i];
    return kept == out.elements() ? kOkStatus : Status{Code::kShapeMismatch, "the result of reduce has another size"};
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& in = call.inputs[0];
    const auto rank = static_cast<size_t>(in.rank);
    reduce(kind_, {in.dims, rank}, {in.strides, rank}, mask_, static_cast<const float*>(in.data),
           static_cast<float*>(call.outputs[0].data), thread_count());
    return kOkStatus;
  }

  Ints axes_;
  ReduceKind kind_;
  uint32_t mask_ = 0;
};

class ArgExtreme final : public DenseKernel {
 public:
  explicit ArgExtreme(const ArgExtremeParameters& p) : axis_(p.axis), largest_(p.largest), last_(p.last) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "arg_extreme has other operands"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if (in.dtype != DType::kF32 || out.dtype != DType::kI64)
      return {Code::kMalformedPlan, "arg_extreme takes float32 and gives int64"};
    if (axis_ < 0 || axis_ >= in.rank) return {Code::kShapeMismatch, "arg_extreme has no such axis"};
    outer_ = extent(in, 0, static_cast<int>(axis_));
    n_ = in.dims[axis_];
    inner_ = extent(in, static_cast<int>(axis_) + 1, in.rank);
    if (n_ == 0 || out.elements() != outer_ * inner_)
      return {Code::kShapeMismatch, "the result of arg_extreme has another size"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    if (outer_ * inner_ > 0)
      arg_extreme(largest_, last_, outer_, n_, inner_, static_cast<const float*>(call.inputs[0].data),
                  static_cast<int64_t*>(call.outputs[0].data), thread_count());
    return kOkStatus;
  }

  int64_t axis_;
  bool largest_, last_;
  int64_t outer_ = 0, n_ = 0, inner_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_reduce(const Attributes& parameters) {
  return std::make_unique<Reduce>(read_parameters<ReduceParameters>(parameters));
}
std::unique_ptr<Kernel> make_arg_extreme(const Attributes& parameters) {
  return std::make_unique<ArgExtreme>(read_parameters<ArgExtremeParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
