// Kernel "pixel_mean": the mean over all pixels of images whose channels lie innermost and whose pixels lie at equal distances, of
// float32, float16 or bfloat16. Its result is [n, c] or [n, c, 1, 1].
#include "backends/cuda/device/cu/pixel_mean.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/parameter_fields.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kFewestPixels = 16;  // of a thread, before pixels are split into parts
constexpr int64_t kBlocksPerChip = 2;  // of a multiprocessor, which parts are made for

class PixelMean final : public Kernel {
 public:
  explicit PixelMean(Gpu& gpu) : gpu_(gpu) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call, image_));
      const TensorView &x = call.inputs[0], &y = call.outputs[0];
      const int64_t lanes = kWord / element_bytes(x.dtype);
      const bool words =
          image_.channels % lanes == 0 && image_.pixel_stride % lanes == 0 && image_.batch_stride % lanes == 0;
      single_ = plan(y, x.dtype, 1);
      words_ = words ? plan(y, x.dtype, lanes) : single_;
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override {
    size_t wanted = kNoWorkspace;
    (void)guarded([&]() -> Status {
      ImageView image;
      KILN_RETURN_IF_ERROR(read(call, image));
      wanted = 0;
      const int64_t lanes = kWord / element_bytes(call.inputs[0].dtype);
      for (int64_t channels : {int64_t{1}, lanes}) wanted = std::max(wanted, bytes_of_parts(image, channels));
      return kOkStatus;
    });
    return wanted;
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *y = call.outputs[0].data;
    Way& way = is_aligned(x, kWord) ? words_ : single_;
    way.arguments.sums = static_cast<float*>(call.workspace);
    if (way.arguments.parts > 1 && call.workspace_size < way.workspace)
      return {Code::kMalformedPlan, "the workspace of a mean of pixels is too small"};
    KILN_RETURN_IF_ERROR(gpu_.launch(stream, way.first, way.arguments, x, y));
    return way.arguments.parts > 1 ? gpu_.launch(stream, way.second, way.arguments, y) : kOkStatus;
  }

 private:
  struct Way {
    Launch first, second;
    PixelMeanArguments arguments;
    size_t workspace;
  };

  static Status read(const KernelCall& call, ImageView& image) {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a mean of pixels has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const auto in = image_of(x);
    if (!in || !float_suffix(x.dtype) || x.dtype != y.dtype || !is_plain(y) || y.rank < 2)
      return {Code::kMalformedPlan, "operands of a mean of pixels are no images of float32, float16 or bfloat16"};
    if (!in->equidistant()) return {Code::kMalformedPlan, "the image of a mean of pixels is not channels last"};
    if (y.dims[0] != in->batch || y.dims[1] != in->channels || extent(y, 2, y.rank) != 1 || in->batch > UINT16_MAX)
      return {Code::kShapeMismatch, "the result of a mean of pixels has another shape"};
    if (in->height * in->width > INT32_MAX) return {Code::kUnsupported, "an image has too many pixels"};
    image = *in;
    return kOkStatus;
  }

  // Threads side by side, each with so many channels.
  static int64_t lanes_of(const ImageView& image, int64_t channels) {
    int64_t lanes = 1;
    while (lanes < kMostPixelMeanLanes && lanes * channels < image.channels) lanes *= 2;
    return lanes;
  }
  static int64_t slices_of(const ImageView& image, int64_t channels) {
    return ceil_div(image.channels, channels * lanes_of(image, channels));
  }
  int64_t parts_of(const ImageView& image, int64_t channels) const {
    const int64_t blocks = std::max<int64_t>(slices_of(image, channels) * image.batch, 1),
                  rows = kPixelMeanThreads / lanes_of(image, channels);
    const int64_t wanted = ceil_div(kBlocksPerChip * gpu_.chip().multiprocessors, blocks);
    return std::clamp<int64_t>(image.height * image.width / (rows * kFewestPixels), 1, wanted);
  }
  size_t bytes_of_parts(const ImageView& image, int64_t channels) const {
    const int64_t parts = parts_of(image, channels);
    const int64_t sums =
        mul_or_throw(mul_or_throw(image.batch, parts, "sums of pixels"), image.channels, "sums of pixels");
    return parts > 1 ? static_cast<size_t>(mul_or_throw(sums, sizeof(float), "sums of pixels")) : 0;
  }

  Way plan(const TensorView& y, DType type, int64_t channels) {
    Way way{};
    PixelMeanArguments& a = way.arguments;
    a.from_image = image_.batch_stride;
    a.from_pixel = image_.pixel_stride;
    a.to_image = y.strides[0];
    a.to_channel = y.strides[1];
    a.pixels = narrow(image_.height * image_.width);
    a.channels = narrow(image_.channels);
    a.lanes = narrow(lanes_of(image_, channels));
    a.parts = narrow(parts_of(image_, channels));
    way.workspace = bytes_of_parts(image_, channels);
    const std::string suffix = float_suffix(type);
    const unsigned images = narrow(image_.batch);
    way.first = {gpu_.function("pixel_mean", (channels > 1 ? "pixel_mean_words" : "pixel_mean") + suffix),
                 {blocks_for(slices_of(image_, channels), 1), a.parts, images},
                 kPixelMeanThreads};
    way.second = {gpu_.function("pixel_mean", "pixel_mean_of_parts" + suffix),
                  {blocks_for(image_.channels, kPixelMeanThreads), 1, images},
                  kPixelMeanThreads};
    return way;
  }

  Gpu& gpu_;
  ImageView image_;
  Way words_ = {}, single_ = {};
};

}  // namespace

std::unique_ptr<Kernel> make_pixel_mean(Gpu& gpu, const Attributes& parameters) {
  (void)read_parameters<NoParameters>(parameters);
  return std::make_unique<PixelMean>(gpu);
}

}  // namespace kiln::cuda::kernels
