// Kernel "conv_winograd": 3x3 convolution by minimal filtering, channels last. Inputs: x, packed weights, bias, residual.
#include "backends/cpu/device/compute/winograd.h"
#include "backends/cpu/device/kernels/conv_call.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

class ConvWinograd final : public Kernel {
 public:
  explicit ConvWinograd(const ConvWinogradParameters& p) : parameters_(p.conv), config_(p.winograd.config()) {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read_operands(parameters_, call, operands_));
    const ConvShape& s = operands_.shape;
    if (operands_.copy_input || !winograd_accepts(s))
      return {Code::kMalformedPlan, "no convolution for minimal filtering"};
    if (call.inputs[1].elements() != packed_winograd_floats(s, config_))
      return {Code::kShapeMismatch, "packed weights have another size"};
    if (workspace(call) > call.workspace_size)
      return {Code::kMalformedPlan, "the workspace of a convolution is too small"};
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    winograd_nhwc(operands_.shape, static_cast<const float*>(call.inputs[0].data),
                  static_cast<const float*>(call.inputs[1].data), static_cast<float*>(call.outputs[0].data),
                  epilogue_of(parameters_, operands_, call), config_, static_cast<float*>(call.workspace));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    ConvOperands o;
    if (!read_operands(parameters_, call, o).ok()) return kNoWorkspace;
    return static_cast<size_t>(winograd_workspace(o.shape, config_)) * sizeof(float);
  }

 private:
  ConvParameters parameters_;
  WinogradConfig config_;
  ConvOperands operands_;
};

}  // namespace

void WinogradParameters::check() const {
  if (tile == 3) throw Error(Code::kMalformedPlan, "parameter 'tile' is 3").cause("it must be 2 or 4");
}

std::unique_ptr<Kernel> make_conv_winograd(const Attributes& parameters) {
  return std::make_unique<ConvWinograd>(read_parameters<ConvWinogradParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
