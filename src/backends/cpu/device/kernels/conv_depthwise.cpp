// Kernel "conv_depthwise": convolution of each channel alone, channels last. Inputs: x, packed weights, bias, residual.
#include "backends/cpu/device/compute/conv_depthwise.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/conv_call.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

PixelStrides pixels(const ImageView& v) { return {v.pixel_stride, v.row_stride, v.image_stride}; }

class ConvDepthwise final : public Kernel {
 public:
  explicit ConvDepthwise(const ConvParameters& parameters) : parameters_(parameters) {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read_operands(parameters_, call, operands_));
    const ConvShape& s = operands_.shape;
    if (operands_.copy_input || s.groups != s.in_c || s.out_c != s.in_c)
      return {Code::kMalformedPlan, "no convolution of single channels"};
    if (call.inputs[1].elements() != s.kernel_h * s.kernel_w * s.in_c)
      return {Code::kShapeMismatch, "packed weights have another size"};
    shape_ = {s.batch,
              s.in_h,
              s.in_w,
              s.in_c,
              s.out_h(),
              s.out_w(),
              {s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.pad_top, s.pad_left}};
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    conv_depthwise(shape_, static_cast<const float*>(call.inputs[0].data), pixels(operands_.in),
                   static_cast<const float*>(call.inputs[1].data), static_cast<float*>(call.outputs[0].data),
                   pixels(operands_.out), epilogue_of(parameters_, operands_, call), thread_count());
    return kOkStatus;
  }

 private:
  ConvParameters parameters_;
  ConvOperands operands_;
  DepthwiseShape shape_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_depthwise(const Attributes& parameters) {
  return std::make_unique<ConvDepthwise>(read_parameters<ConvParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
