// Kernel "group_norm": each group of channels of each image by its own statistics, float32, channels first or last. Inputs: x,
// scale, bias per channel. Parameters: groups (0: one per channel), epsilon.
#include <algorithm>

#include "backends/cpu/device/compute/normalize.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cpu::kernels {
namespace {

bool is_channels_last(const TensorView& v) {
  if (v.rank < 3 || !is_plain(v)) return false;
  const Dims dims(v.dims, v.dims + v.rank);
  const Dims wanted = strides(Layout::channels_last(v.rank), dims);
  return std::equal(wanted.begin(), wanted.end(), v.strides);
}

class GroupNormKernel final : public DenseKernel {
 public:
  explicit GroupNormKernel(const GroupNormParameters& p) : groups_(p.groups) {
    norm_.epsilon = static_cast<float>(p.epsilon);
  }

 private:
  bool takes(const KernelCall& call) const override {
    return call.inputs.size() == 3 && call.outputs.size() == 1 && is_channels_last(call.inputs[0]) &&
           is_channels_last(call.outputs[0]) && call.inputs[1].is_dense() && call.inputs[2].is_dense();
  }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 3 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "group_norm has other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    for (const TensorView& v : {x, call.inputs[1], call.inputs[2], y})
      if (v.dtype != DType::kF32) return {Code::kMalformedPlan, "group_norm computes in float32"};
    if (!same_dims(x, y) || x.rank < 2) return {Code::kShapeMismatch, "group_norm has no channels"};
    norm_.batch = x.dims[0];
    norm_.channels = x.dims[1];
    norm_.pixels = extent(x, 2, x.rank);
    norm_.groups = groups_ == 0 ? norm_.channels : groups_;
    last_ = takes(call) && !x.is_dense();
    if (norm_.groups > 0 && norm_.channels % norm_.groups != 0)
      return {Code::kShapeMismatch, "the groups of group_norm do not divide its channels"};
    for (size_t i : {1, 2})
      if (call.inputs[i].elements() != norm_.channels)
        return {Code::kShapeMismatch, "scale or bias of group_norm has another size"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    if (norm_.batch * norm_.channels * norm_.pixels == 0) return kOkStatus;
    norm_.scale = static_cast<const float*>(call.inputs[1].data);
    norm_.bias = static_cast<const float*>(call.inputs[2].data);
    (last_ ? group_norm_nhwc : group_norm_nchw)(norm_, static_cast<const float*>(call.inputs[0].data),
                                                static_cast<float*>(call.outputs[0].data), thread_count());
    return kOkStatus;
  }

  int64_t groups_;
  bool last_ = false;
  GroupNorm norm_;
};

}  // namespace

std::unique_ptr<Kernel> make_group_norm(const Attributes& parameters) {
  return std::make_unique<GroupNormKernel>(read_parameters<GroupNormParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
