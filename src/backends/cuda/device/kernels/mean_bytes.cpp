// Kernel "mean_bytes": means of windows of dequantized bytes, times a factor, quantized again, of images in any layout. Parameters: kind and
// window as those of "pool", or all pixels; scales and zero points of x and of the result, and the factor.
#include "backends/cuda/device/cu/mean_bytes.h"

#include <tuple>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/byte_image_parameters.h"

namespace kiln::cuda::kernels {
namespace {

// Threads of a result whose window has so many elements.
int32_t shares_of(int64_t taps) { return taps >= 1024 ? 32 : taps >= 64 ? 8 : 1; }

class MeanBytes final : public Kernel {
 public:
  MeanBytes(Gpu& gpu, const MeanBytesParameters& p) : gpu_(gpu), parameters_(p) {
    arguments_.counts_padding = p.kind == Pooling::kMeanWithPadding;
    arguments_.factor = static_cast<float>(p.factor);
    arguments_.x = {static_cast<float>(p.x_scale), p.x_zero, 0};
    arguments_.y = {static_cast<float>(p.y_scale), p.y_zero, 0};
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(check_byte_images(call));
      const TensorView &x = call.inputs[0], &y = call.outputs[0];
      const auto in = image_of(x), out = image_of(y);
      if (!in || !out) return {Code::kMalformedPlan, "operands of a mean of bytes are no images of bytes"};
      SlidingWindow window;
      KILN_RETURN_IF_ERROR(parameters_.window_over(*in, *out, window));
      arguments_.x.is_signed = x.dtype == DType::kI8;
      arguments_.y.is_signed = y.dtype == DType::kI8;
      put(*in, *out, window);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void* x = call.inputs[0].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, y);
  }

 private:
  void put(const ImageView& in, const ImageView& out, const SlidingWindow& window) {
    const Loop loop = merged({{out.batch, out.channels, out.height, out.width},
                              {{out.batch_stride, out.channel_stride, out.row_stride, out.pixel_stride},
                               {in.batch_stride, in.channel_stride, 0, 0},
                               {0, 0, 1, 0},
                               {0, 0, 0, 1}}});
    const auto taps = checked_mul(window.kernel[0], window.kernel[1]);
    if (!taps || *taps > INT32_MAX || loop.count() > INT32_MAX)
      throw Error(Code::kUnsupported, "a mean of bytes has too many elements");
    MeanBytesArguments& a = arguments_;
    a.results = walk_of<4>(loop);
    a.columns = divisor(window.kernel[1]);
    a.shares = shares_of(*taps);
    a.taps = *taps;
    a.from_row = in.row_stride, a.from_column = in.pixel_stride;
    a.height = in.height, a.width = in.width;
    a.stride_h = window.stride[0], a.stride_w = window.stride[1];
    a.dilation_h = window.dilation[0], a.dilation_w = window.dilation[1];
    std::tie(a.top, a.bottom) = window.pads(0, in.height, out.height);
    std::tie(a.left, a.right) = window.pads(1, in.width, out.width);
    launch_ = {gpu_.function("mean_bytes", "mean_bytes")};
    launch_.threads = kMeanThreads;
    launch_.grid[0] = blocks_for(loop.count(), kMeanThreads / a.shares);
  }

  Gpu& gpu_;
  MeanBytesParameters parameters_;
  MeanBytesArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_mean_bytes(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<MeanBytes>(gpu, read_parameters<MeanBytesParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
