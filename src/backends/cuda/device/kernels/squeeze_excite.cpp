// Kernel "squeeze_excite": images times factors that two products make of the means of their pixels, of float32, float16 or bfloat16,
// channels innermost and in whole words of 16 bytes. Inputs: x, weights [hidden, channels], bias, weights [channels, hidden], bias; the
// weights packed by pack_mma_weights.
#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/packing.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kFewestSliceWords = 4;  // of a pixel: shorter slices read parts of sectors

class SqueezeExcite final : public Kernel {
 public:
  SqueezeExcite(Gpu& gpu, const SqueezeExciteParameters& p)
      : gpu_(gpu),
        blocks_(p.choice.blocks),
        kept_images_(p.choice.keep),
        threads_(p.choice.threads),
        hidden_(p.hidden) {
    squeezed_.activation = p.squeeze;
    excited_.activation = p.excite;
    excited_.alpha = static_cast<float>(p.alpha);
    excited_.beta = static_cast<float>(p.beta);
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
      KILN_RETURN_IF_ERROR(check_weights(call, in->channels));
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
    a.squeeze = call.inputs[1].data;
    a.squeezed.bias = static_cast<const float*>(call.inputs[2].data);
    a.excite = call.inputs[3].data;
    a.excited.bias = static_cast<const float*>(call.inputs[4].data);
    a.y = call.outputs[0].data;
    for (const void* data : {a.x, a.squeeze, a.excite, static_cast<const void*>(a.y)})
      if (!is_aligned(data, kPiece)) return {Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
    return gpu_.launch(stream, launch_, a);
  }

 private:
  Status check_weights(const KernelCall& call, int64_t channels) const {
    const DType type = call.inputs[0].dtype;
    const int bytes = element_bytes(type);
    const auto is = [](const TensorView& v, DType wanted, int64_t elements) {
      return v.dtype == wanted && is_plain(v) && v.is_dense() && v.elements() == elements;
    };
    const auto is_bias = [&](const TensorView& v, int64_t elements) {
      return !v.present() || is(v, DType::kF32, elements);
    };
    if (!is(call.inputs[1], type, mma_weight_elements(1, hidden_, 1, channels, bytes)) ||
        !is(call.inputs[3], type, mma_weight_elements(1, channels, 1, hidden_, bytes)) ||
        !is_bias(call.inputs[2], hidden_) || !is_bias(call.inputs[4], channels))
      return {Code::kShapeMismatch, "the weights or biases of squeeze-and-excite have another size or type"};
    return kOkStatus;
  }

  Status plan(const ImageView& in, int64_t lanes) {
    const auto narrow = [](int64_t n) { return static_cast<uint32_t>(n); };
    const int64_t words = in.channels / lanes, pixels = in.height * in.width;
    int64_t slices = 1;
    while (2 * slices <= blocks_ && words / (2 * slices) >= kFewestSliceWords) slices *= 2;
    const int64_t slice_words = ceil_div(words, slices);
    if (slice_words > threads_ || pixels > INT32_MAX)
      return {Code::kUnsupported, "an image is too large for squeeze-and-excite"};
    SqueezeExciteArguments& a = arguments_;
    a = {};
    a.squeezed = squeezed_;
    a.excited = excited_;
    a.from_pixel = in.pixel_stride;
    a.images = narrow(in.batch);
    a.pixels = narrow(pixels);
    a.words = narrow(words);
    a.hidden = narrow(hidden_);
    a.excite_words = narrow(ceil_div(hidden_, lanes));
    a.blocks = narrow(blocks_);
    a.slices = narrow(slices);
    a.slice_words = narrow(slice_words);
    int64_t room = gpu_.chip().shared_per_block;
    room -= int64_t{squeeze_floats(narrow(threads_), a.slice_words, narrow(lanes), a.hidden, a.excite_words, a.blocks)
                        .count()} *
            4;
    if (room < 0) return {Code::kUnsupported, "the means of an image do not fit a block's memory"};
    const auto take = [&](int64_t wanted) {
      if (wanted > room / kPiece) return uint32_t{0};
      room -= wanted * kPiece;
      return narrow(wanted);
    };
    // Tables of a cluster that have no room are read where they are.
    if (gpu_.chip().has_cp_async())
      a.weight_words = take(slice_words * (hidden_ + lanes * squeeze_row_words(a.excite_words)));
    const int64_t words_of_image = ceil_div(pixels, blocks_ / slices) * slice_words;
    if (kept_images_ > 0 && take(kept_images_ * words_of_image) > 0) {
      a.kept_words = narrow(words_of_image);
      a.ahead = narrow(kept_images_ - 1);
    }
    launch_.shared = static_cast<unsigned>(gpu_.chip().shared_per_block - room);
    launch_.grid[0] = pixels == 0 ? 0 : blocks_for(std::min(in.batch, clusters_at_once()) * blocks_, 1);
    launch_.threads = static_cast<unsigned>(threads_);
    launch_.cluster = a.blocks;
    return kOkStatus;
  }

  // As many as hold their weights at the same time; those of several blocks do not fit all multiprocessors.
  int64_t clusters_at_once() const {
    const Chip& chip = gpu_.chip();
    const int64_t of_multiprocessor =
        std::clamp<int64_t>(chip.shared_per_block / launch_.shared, 1, squeeze_blocks(static_cast<int>(threads_)));
    const int64_t places = chip.multiprocessors * of_multiprocessor;
    return std::max<int64_t>(blocks_ > 1 ? places * 15 / (16 * blocks_) : places, 1);
  }

  Gpu& gpu_;
  int64_t blocks_;
  int64_t kept_images_;
  int64_t threads_;
  int64_t hidden_;
  EpilogueArguments squeezed_, excited_;
  SqueezeExciteArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_squeeze_excite(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<SqueezeExcite>(gpu, read_parameters<SqueezeExciteParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
