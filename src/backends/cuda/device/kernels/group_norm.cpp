// Kernel "group_norm": groups of channels of images by their own mean and variance, of float32, float16 or bfloat16. Inputs: x [batch,
// channels, ...], row-major or channels last, scale and bias (one element for each channel). Parameters: groups (0: each channel is one),
// epsilon.
#include "backends/cuda/device/cu/group_norm.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class GroupNorm final : public Kernel {
 public:
  GroupNorm(Gpu& gpu, const GroupNormParameters& p) : gpu_(gpu), groups_(p.groups) {
    arguments_.epsilon = static_cast<float>(p.epsilon);
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 3 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "group_norm has other operands"};
      const TensorView &x = call.inputs[0], &y = call.outputs[0];
      const char* suffix = float_suffix(x.dtype);
      for (const TensorView* v : {&x, &call.inputs[1], &call.inputs[2], &y})
        if (!suffix || v->dtype != x.dtype || !is_plain(*v))
          return {Code::kMalformedPlan, "group_norm is of float32, float16 or bfloat16"};
      if (x.rank < 2 || !same_dims(x, y) || !std::equal(x.strides, x.strides + x.rank, y.strides))
        return {Code::kShapeMismatch, "the result of group_norm has another shape or layout"};
      const int64_t channels = x.dims[1], groups = groups_ == 0 ? channels : groups_;
      for (size_t i : {size_t{1}, size_t{2}})
        if (!call.inputs[i].is_dense() || call.inputs[i].elements() != channels)
          return {Code::kShapeMismatch, "scale and bias of group_norm are one element for each channel"};
      launch_ = {};
      if (x.elements() == 0) {
        launch_.grid[0] = 0;
        return kOkStatus;
      }
      if (channels % groups != 0) return {Code::kShapeMismatch, "the groups of group_norm do not divide its channels"};
      return plan(x, groups, suffix);
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void *x = call.inputs[0].data, *scale = call.inputs[1].data, *bias = call.inputs[2].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, scale, bias, y);
  }

 private:
  Status plan(const TensorView& x, int64_t groups, const char* suffix) {
    const auto first = x.dims + 2, last = x.dims + x.rank;
    const Loop pixels = merged({Dims(first, last), {Dims(x.strides + 2, x.strides + x.rank)}});
    if (pixels.dims.size() > 1) return {Code::kMalformedPlan, "the pixels of group_norm do not lie at equal distances"};
    GroupNormArguments& a = arguments_;
    a.batch_stride = x.strides[0];
    a.channel_stride = x.strides[1];
    a.pixels = pixels.count();
    a.pixel_stride = pixels.dims.empty() ? 0 : pixels.strides[0][0];
    const int64_t channels = x.dims[1] / groups;
    if (a.pixels > INT32_MAX / channels || groups > INT32_MAX / x.dims[0])
      return {Code::kUnsupported, "group_norm has too many elements"};
    a.channels = static_cast<uint32_t>(channels);
    a.channels_last = a.channel_stride == 1 && a.pixels > 1;
    a.groups = divisor(groups);
    a.inner = FastDivisor::of(a.channels_last ? a.channels : static_cast<uint32_t>(a.pixels));
    launch_.function = gpu_.function("group_norm", "group_norm" + std::string(suffix));
    launch_.threads = kGroupThreads;
    launch_.grid[0] = blocks_for(x.dims[0] * groups, 1);
    return kOkStatus;
  }

  Gpu& gpu_;
  int64_t groups_;
  GroupNormArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_group_norm(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<GroupNorm>(gpu, read_parameters<GroupNormParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
