// Kernel "conv_nhwc": convolution as a product of tiles, channels last. Inputs: x, packed weights (float32, float16 or bfloat16), bias,
// residual. Parameter `packs`: the weights are [out, in, height, width], of float32, and packed at each launch.
#include "backends/cpu/device/compute/conv_nhwc.h"

#include "backends/cpu/device/kernels/conv_call.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/checked.h"

namespace kiln::cpu::kernels {
namespace {

class ConvNhwc final : public Kernel {
 public:
  explicit ConvNhwc(const ConvNhwcParameters& p) : parameters_(p.conv), blocks_(p.blocks), packs_(p.packs) {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read_operands(parameters_, call, operands_, !packs_));
    if (call.inputs[1].elements() != (packs_ ? weights_of(operands_.shape) : packed_conv_floats(operands_.shape)))
      return {Code::kShapeMismatch, "packed weights have another size"};
    if (workspace(call) > call.workspace_size)
      return {Code::kMalformedPlan, "the workspace of a convolution is too small"};
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    auto* space = static_cast<float*>(call.workspace);
    const auto* x = static_cast<const float*>(call.inputs[0].data);
    if (operands_.copy_input) {
      copy_to_channels_last(operands_.in, x, space, blocks_.row_threads * blocks_.column_threads);
      x = space;
      space += align_up(operands_.copied_floats(), 16);
    }
    PackedWeights weights(call.inputs[1].data, call.inputs[1].dtype);
    if (packs_) {
      pack_conv(operands_.shape, static_cast<const float*>(weights.data), blocks_, space);
      weights = space;
      space += align_up(packed_conv_floats(operands_.shape), 16);
    }
    conv_nhwc(operands_.shape, x, weights, static_cast<float*>(call.outputs[0].data),
              epilogue_of(parameters_, operands_, call), blocks_, space);
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    ConvOperands o;
    if (!read_operands(parameters_, call, o, !packs_).ok()) return kNoWorkspace;
    const int64_t packed = packs_ ? align_up(packed_conv_floats(o.shape), 16) : 0;
    const int64_t own = conv_workspace(o.shape, blocks_, call.inputs[1].dtype);
    return static_cast<size_t>(align_up(o.copied_floats(), 16) + packed + own) * sizeof(float);
  }

 private:
  static int64_t weights_of(const ConvShape& s) { return s.in_c / s.groups * s.out_c * s.kernel_h * s.kernel_w; }

  ConvParameters parameters_;
  BlockConfig blocks_;
  bool packs_;
  ConvOperands operands_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_nhwc(const Attributes& parameters) {
  return std::make_unique<ConvNhwc>(read_parameters<ConvNhwcParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
