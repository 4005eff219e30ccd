// Kernel "squeeze_excite": images times factors that two products make of the means of their pixels, of float32, float16 or bfloat16,
// channels innermost and in whole words of 16 bytes. Inputs: x, weights [hidden, channels], bias, weights [channels, hidden], bias; the
// weights packed by pack_mma_weights.
#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/packing.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/kernels/squeeze.h"

namespace kiln::cuda::kernels {
namespace {

class SqueezeExcite final : public Kernel {
 public:
  SqueezeExcite(Gpu& gpu, const SqueezeExciteParameters& p)
      : gpu_(gpu),
        blocks_(p.choice.blocks),
        kept_images_(p.choice.keep),
        threads_(p.choice.threads),
        products_(p.products) {
    if (kept_images_ > 1 && !gpu.chip().has_cp_async())
      throw Error(Code::kPlanDevice, "images that come ahead need compute capability 8.0");
    if (blocks_ > 1 && !gpu.chip().has_clusters())
      throw Error(Code::kPlanDevice, "clusters need compute capability 9.0");
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 5 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "squeeze-and-excite has five operands and one result"};
      const TensorView &x = call.inputs[0], &y = call.outputs[0];
      const auto in = image_of(x), out = image_of(y);
      if (!in || !out || !float_suffix(x.dtype) || x.dtype != y.dtype || !same_dims(x, y))
        return {Code::kMalformedPlan,
                "operands of squeeze-and-excite are no images of one type of float32, float16 or bfloat16"};
      const int64_t bytes = element_bytes(x.dtype), lanes = kPiece / bytes;
      const auto whole = [&](int64_t n) { return n % lanes == 0; };
      if (!in->equidistant() || !out->equidistant() || !whole(in->channels) || !whole(in->pixel_stride) ||
          !whole(out->pixel_stride) || in->channels == 0)
        return {Code::kMalformedPlan, "operands of squeeze-and-excite are no whole words of channels"};
      KILN_RETURN_IF_ERROR(check_squeeze_weights(call.inputs.subspan(1), x.dtype, products_, in->channels));
      KILN_RETURN_IF_ERROR(plan(*in, lanes));
      arguments_.to_pixel = out->pixel_stride;
      arguments_.weights_are_constant = call.inputs[1].host && call.inputs[3].host;
      launch_.function = gpu_.function(
          "squeeze_excite", std::string("squeeze_excite") + float_suffix(x.dtype) + "_" + std::to_string(threads_),
          static_cast<int>(launch_.shared));
      return kOkStatus;
    });
  }

  Sharing sharing() const noexcept override { return Sharing::kInPlace; }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    SqueezeExciteArguments& a = arguments_;
    a.x = call.inputs[0].data;
    place_squeeze_weights(call.inputs.subspan(1), a);
    a.y = call.outputs[0].data;
    for (const void* data : {a.x, a.squeeze, a.excite, static_cast<const void*>(a.y)})
      if (!is_aligned(data, kPiece)) return {Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
    return gpu_.launch(stream, launch_, a);
  }

 private:
  Status plan(const ImageView& in, int64_t lanes) {
    const int64_t words = in.channels / lanes, pixels = in.height * in.width;
    const int64_t slices = squeeze_slices(words, blocks_), slice_words = ceil_div(words, slices);
    if (slice_words > threads_ || pixels > INT32_MAX)
      return {Code::kUnsupported, "an image is too large for squeeze-and-excite"};
    SqueezeExciteArguments& a = arguments_;
    set_squeeze(products_, in.batch, pixels, in.channels, lanes, a);
    a.from_pixel = in.pixel_stride;
    a.blocks = narrow(blocks_);
    a.slices = narrow(slices);
    a.slice_words = narrow(slice_words);
    SqueezeRoom room(gpu_.chip());
    if (!room.take_floats(a, threads_, lanes))
      return {Code::kUnsupported, "the means of an image do not fit a block's memory"};
    // Tables of a cluster that have no room are read where they are.
    a.weight_words = take_squeeze_weights(room, gpu_.chip(), a, lanes);
    const int64_t words_of_image = ceil_div(pixels, blocks_ / slices) * slice_words;
    if (kept_images_ > 0 && room.take_words(kept_images_ * words_of_image) > 0) {
      a.kept_words = narrow(words_of_image);
      a.ahead = narrow(kept_images_ - 1);
    }
    launch_.shared = room.taken();
    launch_.threads = static_cast<unsigned>(threads_);
    launch_.cluster = a.blocks;
    launch_.grid[0] =
        pixels == 0 ? 0 : blocks_for(std::min(in.batch, squeeze_clusters_at_once(gpu_.chip(), launch_)) * blocks_, 1);
    return kOkStatus;
  }

  Gpu& gpu_;
  int64_t blocks_;
  int64_t kept_images_;
  int64_t threads_;
  SqueezeProducts products_;
  SqueezeExciteArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_squeeze_excite(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<SqueezeExcite>(gpu, read_parameters<SqueezeExciteParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
