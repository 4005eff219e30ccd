// Kernel "scale_pixels": y[n, c, h, w] = x[n, c, h, w] * factors[n, c, 1, 1] of float32, float16 or bfloat16, channels innermost and in
// whole words of 16 bytes.
#include "backends/cuda/device/cu/scale_pixels.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/parameter_fields.h"

namespace kiln::cuda::kernels {
namespace {

class ScalePixels final : public Kernel {
 public:
  explicit ScalePixels(Gpu& gpu) : gpu_(gpu) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 2 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "a scaling of pixels has two operands and one result"};
      const TensorView &x = call.inputs[0], &factors = call.inputs[1], &y = call.outputs[0];
      const auto in = image_of(x), row = image_of(factors), out = image_of(y);
      if (!in || !row || !out || !float_suffix(x.dtype) || x.dtype != factors.dtype || x.dtype != y.dtype)
        return {Code::kMalformedPlan,
                "operands of a scaling are no images of one type of float32, float16 or bfloat16"};
      if (!same_dims(x, y) || row->batch != in->batch || row->channels != in->channels || row->height != 1 ||
          row->width != 1)
        return {Code::kShapeMismatch, "operands of a scaling do not fit each other"};
      const int64_t lanes = kWord / element_bytes(x.dtype);
      const auto whole = [&](int64_t n) { return n % lanes == 0; };
      if (!in->equidistant() || !out->equidistant() || !row->adjacent_channels() || !whole(in->channels) ||
          !whole(in->pixel_stride) || !whole(out->pixel_stride) || !whole(row->batch_stride))
        return {Code::kMalformedPlan, "operands of a scaling are no whole words of channels"};
      plan(*in, *out, row->batch_stride, lanes);
      launch_.function = gpu_.function("scale_pixels", std::string("scale_pixels") + float_suffix(x.dtype));
      return kOkStatus;
    });
  }

  Sharing sharing() const noexcept override { return Sharing::kInPlace; }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *factors = call.inputs[1].data, *y = call.outputs[0].data;
    for (const void* data : {x, factors, y})
      if (!is_aligned(data, kWord)) return {Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
    return gpu_.launch(stream, launch_, arguments_, x, factors, y);
  }

 private:
  void plan(const ImageView& in, const ImageView& out, int64_t from_row, int64_t lanes) {
    const int64_t pixels = in.height * in.width, runs = ceil_div(pixels, kScalePixels), words = in.channels / lanes;
    const int64_t count = mul_or_throw(mul_or_throw(in.batch, runs, "runs of pixels"), words, "runs of pixels");
    if (pixels > INT32_MAX || count > INT32_MAX - kScaleThreads)
      throw Error(Code::kUnsupported, "an image has too many elements to be scaled");
    arguments_ = {
        in.pixel_stride, out.pixel_stride, from_row, static_cast<uint32_t>(count), static_cast<uint32_t>(pixels),
        divisor(words),  divisor(runs)};
    launch_.grid[0] = blocks_for(count, kScaleThreads);
    launch_.threads = kScaleThreads;
  }

  Gpu& gpu_;
  ScalePixelsArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_scale_pixels(Gpu& gpu, const Attributes& parameters) {
  (void)read_parameters<NoParameters>(parameters);
  return std::make_unique<ScalePixels>(gpu);
}

}  // namespace kiln::cuda::kernels
