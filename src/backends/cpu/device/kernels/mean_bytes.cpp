// Kernel "mean_bytes": means of windows of dequantized bytes, times a factor, quantized again. Channels last. Parameters: kind and window as
// those of "pool", or all pixels; scales and zero points of x and of the result, and the factor.
#include "backends/cpu/device/compute/pool_nhwc.h"
#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/pool_shape.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/byte_image_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class MeanBytes final : public Kernel {
 public:
  explicit MeanBytes(const MeanBytesParameters& p) : parameters_(p) {
    means_ = {.scale = static_cast<float>(p.x_scale), .factor = static_cast<float>(p.factor), .zero = p.x_zero};
    means_.to = {static_cast<float>(p.y_scale), p.y_zero, false};
  }

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(check_byte_images(call));
    const auto in = image_of(call.inputs[0]), out = image_of(call.outputs[0]);
    if (!in || !out || !has_adjacent_channels(*in) || !has_adjacent_channels(*out))
      return {Code::kMalformedPlan, "operands of a mean of bytes are no images with adjacent channels"};
    SlidingWindow window;
    KILN_RETURN_IF_ERROR(parameters_.window_over(*in, *out, window));
    in_ = *in;
    out_ = *out;
    shape_ = pool_shape(*in, *out, window);
    means_.is_signed = call.inputs[0].dtype == DType::kI8;
    means_.to.is_signed = call.outputs[0].dtype == DType::kI8;
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    mean_pool_bytes(static_cast<PoolKind>(parameters_.kind), shape_, means_,
                    static_cast<const uint8_t*>(call.inputs[0].data), pixels_of(in_),
                    static_cast<uint8_t*>(call.outputs[0].data), pixels_of(out_), thread_count());
    return kOkStatus;
  }

 private:
  static bool has_adjacent_channels(const ImageView& v) { return v.channel_stride == 1 || v.channels == 1; }

  MeanBytesParameters parameters_;
  ByteMeans means_;
  ImageView in_, out_;
  PoolShape shape_;
};

}  // namespace

std::unique_ptr<Kernel> make_mean_bytes(const Attributes& parameters) {
  return std::make_unique<MeanBytes>(read_parameters<MeanBytesParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
