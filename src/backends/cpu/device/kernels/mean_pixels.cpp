// Kernel "mean_pixels": mean of all pixels of each channel, channels last. The result has a row of channels per image.
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/pool_nhwc.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/parameter_fields.h"

namespace kiln::cpu::kernels {
namespace {

class MeanPixels final : public Kernel {
 public:
  explicit MeanPixels(const NoParameters&) {}

  Status prepare(const KernelCall& call) noexcept override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a mean has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const auto in = image_of(x);
    if (!in || !is_f32(x) || !is_f32(y) || (in->channel_stride != 1 && in->channels != 1))
      return {Code::kMalformedPlan, "the operand of a mean is no float32 image with adjacent channels"};
    if (!is_plain(y) || y.rank < 2 || y.dims[0] != in->batch || y.dims[1] != in->channels ||
        y.elements() != in->batch * in->channels)
      return {Code::kShapeMismatch, "the result of a mean has another shape"};
    if (y.strides[1] != 1 && y.dims[1] != 1)
      return {Code::kMalformedPlan, "the result of a mean has no adjacent channels"};
    in_ = *in;
    out_stride_ = y.strides[0];
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    global_average_nhwc(in_.batch, in_.height, in_.width, in_.channels, static_cast<const float*>(call.inputs[0].data),
                        {in_.pixel_stride, in_.row_stride, in_.image_stride}, static_cast<float*>(call.outputs[0].data),
                        out_stride_, thread_count());
    return kOkStatus;
  }

 private:
  ImageView in_;
  int64_t out_stride_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_mean_pixels(const Attributes& parameters) {
  return std::make_unique<MeanPixels>(read_parameters<NoParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
