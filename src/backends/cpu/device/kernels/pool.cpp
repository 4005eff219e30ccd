// Kernel "pool": maximum (of float32, float16, bfloat16 or bytes) or mean of windows, fastest with channels last. Parameters: kind (0 maximum, 1 mean, 2 mean that counts
// padding) and the window.
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/pool_nhwc.h"
#include "backends/cpu/device/kernels/half_operands.h"
#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/pool_shape.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/pool_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class Pool final : public Kernel {
 public:
  explicit Pool(const PoolParameters& p) : kind_(static_cast<PoolKind>(p.kind)), window_(p.window) {}

  Status prepare(const KernelCall& call) noexcept override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a pooling has one operand and one result"};
    const auto in = image_of(call.inputs[0]), out = image_of(call.outputs[0]);
    const DType type = call.inputs[0].dtype;
    const bool narrow = kind_ == PoolKind::kMax && (is_byte(call.inputs[0]) || is_half(call.inputs[0]));
    if (!in || !out || call.outputs[0].dtype != type || (type != DType::kF32 && !narrow))
      return {Code::kMalformedPlan, "operands of a pooling are no images that it takes"};
    if (in->batch != out->batch || in->channels != out->channels || !window_.fits(0, in->height, out->height) ||
        !window_.fits(1, in->width, out->width))
      return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
    in_ = *in;
    out_ = *out;
    shape_ = pool_shape(*in, *out, window_);
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const DType type = call.inputs[0].dtype;
    if (is_half(call.inputs[0])) {
      max_pool_halves(shape_, type, static_cast<const uint16_t*>(call.inputs[0].data), pixels_of(in_),
                      in_.channel_stride, static_cast<uint16_t*>(call.outputs[0].data), pixels_of(out_),
                      out_.channel_stride, thread_count());
      return kOkStatus;
    }
    if (type != DType::kF32) {
      max_pool_bytes(shape_, type == DType::kI8, static_cast<const uint8_t*>(call.inputs[0].data), pixels_of(in_),
                     in_.channel_stride, static_cast<uint8_t*>(call.outputs[0].data), pixels_of(out_),
                     out_.channel_stride, thread_count());
      return kOkStatus;
    }
    const auto* x = static_cast<const float*>(call.inputs[0].data);
    auto* y = static_cast<float*>(call.outputs[0].data);
    const bool adjacent = in_.channel_stride == 1 && out_.channel_stride == 1;
    if (adjacent) pool_nhwc(kind_, shape_, x, pixels_of(in_), y, pixels_of(out_), thread_count());
    else
      pool_strided(kind_, shape_, x, pixels_of(in_), in_.channel_stride, y, pixels_of(out_), out_.channel_stride,
                   thread_count());
    return kOkStatus;
  }

 private:
  PoolKind kind_;
  SlidingWindow window_;
  ImageView in_, out_;
  PoolShape shape_;
};

}  // namespace

std::unique_ptr<Kernel> make_pool(const Attributes& parameters) {
  return std::make_unique<Pool>(read_parameters<PoolParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
