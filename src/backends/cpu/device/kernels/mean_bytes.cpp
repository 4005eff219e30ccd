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
  explicit MeanBytes(const MeanBytesParameters& p)
      : kind_(static_cast<PoolKind>(p.kind)),
        global_(p.global),
        window_(p.window),
        x_scale_(static_cast<float>(p.x_scale)),
        factor_(static_cast<float>(p.factor)),
        x_zero_(p.x_zero),
        to_{static_cast<float>(p.y_scale), p.y_zero, false} {}

  Status prepare(const KernelCall& call) noexcept override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a mean of bytes has one operand and one result"};
    const auto in = image_of(call.inputs[0]), out = image_of(call.outputs[0]);
    if (!in || !out || !is_byte(call.inputs[0]) || !is_byte(call.outputs[0]) || !has_adjacent_channels(*in) ||
        !has_adjacent_channels(*out))
      return {Code::kMalformedPlan, "operands of a mean of bytes are no images of bytes with adjacent channels"};
    SlidingWindow window = window_;
    if (global_) {
      window.kernel[0] = std::max<int64_t>(in->height, 1);
      window.kernel[1] = std::max<int64_t>(in->width, 1);
    }
    const bool fits = global_ ? out->height == 1 && out->width == 1
                              : window.fits(0, in->height, out->height) && window.fits(1, in->width, out->width);
    if (in->batch != out->batch || in->channels != out->channels || !fits)
      return {Code::kShapeMismatch, "operands of a mean of bytes do not fit each other"};
    in_ = *in;
    out_ = *out;
    shape_ = pool_shape(*in, *out, window);
    means_ = {x_scale_, factor_, x_zero_, call.inputs[0].dtype == DType::kI8, to_};
    means_.to.is_signed = call.outputs[0].dtype == DType::kI8;
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    mean_pool_bytes(kind_, shape_, means_, static_cast<const uint8_t*>(call.inputs[0].data), pixels_of(in_),
                    static_cast<uint8_t*>(call.outputs[0].data), pixels_of(out_), thread_count());
    return kOkStatus;
  }

 private:
  static bool has_adjacent_channels(const ImageView& v) { return v.channel_stride == 1 || v.channels == 1; }

  PoolKind kind_;
  bool global_;
  SlidingWindow window_;
  float x_scale_, factor_;
  int32_t x_zero_;
  Quantizer to_;
  ByteMeans means_;
  ImageView in_, out_;
  PoolShape shape_;
};

}  // namespace

std::unique_ptr<Kernel> make_mean_bytes(const Attributes& parameters) {
  return std::make_unique<MeanBytes>(read_parameters<MeanBytesParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
