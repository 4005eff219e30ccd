// Kernel "depthwise_int8": convolution of bytes of each channel by itself, channels last. Inputs and parameters as byte_image.h has them;
// packed weights as DepthwiseWeights has them, the sum of `parts`.
#include "backends/cpu/device/compute/depthwise_int8.h"

#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

class DepthwiseInt8 final : public Kernel {
 public:
  explicit DepthwiseInt8(const ConvInt8Parameters& p)
      : parameters_(p), x_zero_(p.x_zero), parts_(p.parts), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a depthwise convolution is too small"};
      return sums_.prepare(call, 2, shape_.windows(), shape_.out_c, pixels_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    auto* space = static_cast<std::byte*>(call.workspace);
    const bool is_signed = call.inputs[0].dtype == DType::kI8;
    depthwise_int8(shape_, static_cast<const uint8_t*>(call.inputs[0].data), is_signed, sums_.zero_point(call, x_zero_),
                   parts_, static_cast<const int8_t*>(call.inputs[1].data), call.outputs[0].data,
                   sums_.bind(call, is_signed ? 128 : 0, space), thread_count(),
                   reinterpret_cast<uint8_t*>(space + SumOperands::space(call, 2, shape_.out_c)));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return SumOperands::space(call, 2, shape_.out_c) +
           static_cast<size_t>(depthwise_int8_scratch(shape_, thread_count()));
  }

 private:
  Status read(const KernelCall& call) noexcept {
    KILN_RETURN_IF_ERROR(read_byte_images(parameters_, call, shape_));
    if (shape_.groups != shape_.in_c || shape_.out_c != shape_.in_c)
      return {Code::kShapeMismatch, "a depthwise convolution has groups of several channels"};
    // A kernel has less than 2^31 slices, and they as many rows.
    const DepthwiseWeights w{parts_, shape_.kernel_d * shape_.kernel_h, shape_.kernel_w, shape_.in_c};
    const auto quads = checked_mul(w.kernel_h, w.quads());
    const auto words = quads ? checked_mul(*quads, w.packed_channels()) : std::nullopt;
    const auto bytes = words ? checked_mul(*words, 4 * parts_) : std::nullopt;
    if (!bytes || call.inputs[1].elements() != *bytes)
      return {Code::kShapeMismatch, "packed weights have another size"};
    return kOkStatus;
  }

  ConvInt8Parameters parameters_;
  int32_t x_zero_;
  int64_t parts_;
  SumOperands sums_;
  VolumeShape shape_;
};

}  // namespace

std::unique_ptr<Kernel> make_depthwise_int8(const Attributes& parameters) {
  return std::make_unique<DepthwiseInt8>(read_parameters<ConvInt8Parameters>(parameters));
}

}  // namespace kiln::cpu::kernels
