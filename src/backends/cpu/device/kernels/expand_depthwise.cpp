// Kernel "expand_depthwise": a 1x1 convolution and the convolution of each of its channels alone, channels last. Inputs: x, packed
// weights of both, biases of both, residual.
#include "backends/cpu/device/compute/expand_depthwise.h"

#include "backends/cpu/device/kernels/conv_call.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/checked.h"

namespace kiln::cpu::kernels {
namespace {

enum Input { kX, kExpand, kWeights, kExpandBias, kBias, kResidual, kInputs };
constexpr int64_t kMostPadding = 16;  // of packed columns

class ExpandDepthwise final : public Kernel {
 public:
  explicit ExpandDepthwise(const ExpandDepthwiseParameters& p)
      : window_(p.window),
        expansion_{.activation = p.expansion.activation, .alpha = p.expansion.alpha, .beta = p.expansion.beta},
        epilogue_(p.epilogue),
        config_{.blocks = p.bands.blocks, .band = p.bands.band, .threads = p.bands.threads} {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read(call));
    const auto floats = expand_depthwise_workspace(shape_, config_);
    if (!floats || static_cast<uint64_t>(*floats) * sizeof(float) > call.workspace_size)
      return {Code::kMalformedPlan, "the workspace of a convolution is too small"};
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const auto floats = [&](Input i) { return static_cast<const float*>(call.inputs[i].data); };
    expand_depthwise_nhwc(shape_, floats(kX), floats(kExpand),
                          make_epilogue(expansion_, call.inputs[kExpandBias], {}, 0), floats(kWeights),
                          static_cast<float*>(call.outputs[0].data),
                          make_epilogue(epilogue_, call.inputs[kBias], call.inputs[kResidual], residual_stride_),
                          config_, static_cast<float*>(call.workspace));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    const auto floats = expand_depthwise_workspace(shape_, config_);
    return floats ? static_cast<size_t>(*floats) * sizeof(float) : kNoWorkspace;
  }

 private:
  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() != kInputs || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "an expansion with a depthwise convolution has six operands"};
    const auto in = image_of(call.inputs[kX]), out = image_of(call.outputs[0]);
    if (!in || !out || !in->equidistant || !out->equidistant || !is_f32(call.inputs[kX]) || !is_f32(call.outputs[0]))
      return {Code::kMalformedPlan, "operands of a convolution are not float32 images with channels last"};
    if (!window_.fits(0, in->height, out->height) || !window_.fits(1, in->width, out->width) || in->batch != out->batch)
      return {Code::kShapeMismatch, "the result of a convolution has another size"};
    const ConvShape c = conv_shape(window_, 1, *in, *out);
    if (c.out_h() != out->height || c.out_w() != out->width)
      return {Code::kShapeMismatch, "operands of a convolution do not fit each other"};
    shape_ = {in->batch,
              in->height,
              in->width,
              in->channels,
              out->channels,
              out->height,
              out->width,
              in->pixel_stride,
              out->pixel_stride,
              {c.kernel_h, c.kernel_w, c.stride_h, c.stride_w, c.dilation_h, c.dilation_w, c.pad_top, c.pad_left}};
    return read_weights(call, *out);
  }

  Status read_weights(const KernelCall& call, const ImageView& out) noexcept {
    ConvShape expansion;
    expansion.in_c = shape_.in_c;
    expansion.out_c = shape_.channels;
    const Window2d& w = shape_.window;
    const auto taps = checked_mul(w.kernel_h * w.kernel_w, shape_.channels);  // each is at most 2^30
    const auto terms = checked_mul(shape_.in_c, shape_.channels + kMostPadding);
    if (!taps || !terms || !is_vector(call.inputs[kExpand], packed_conv_floats(expansion)) ||
        !is_vector(call.inputs[kWeights], *taps))
      return {Code::kShapeMismatch, "packed weights have another size"};
    for (Input bias : {kExpandBias, kBias})
      if (call.inputs[bias].present() && !is_vector(call.inputs[bias], shape_.channels))
        return {Code::kShapeMismatch, "the bias of a convolution has another size"};
    return read_residual(call.inputs[kResidual], out, residual_stride_);
  }

  SlidingWindow window_;
  EpilogueParameters expansion_, epilogue_;
  ExpandDepthwiseConfig config_;
  ExpandDepthwiseShape shape_;
  int64_t residual_stride_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_expand_depthwise(const Attributes& parameters) {
  return std::make_unique<ExpandDepthwise>(read_parameters<ExpandDepthwiseParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
