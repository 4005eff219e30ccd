// Kernel "conv_depthwise": convolutions of each channel alone, or of few together, of float32, float16 or bfloat16. Inputs: x, weights
// packed by pack_depthwise_weights, bias (float32), residual.
#include "backends/cuda/device/cu/conv_depthwise.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/conv_parameters.h"
#include "backends/cuda/device/kernels/depthwise.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kMostRuns = 32;  // runs of channels of a slice: as many as a warp has threads

uint32_t thread_count(std::initializer_list<int64_t> factors) {
  int64_t n = 1;
  for (int64_t f : factors) n = mul_or_throw(n, f, "the threads of a convolution");
  if (n > INT32_MAX - kDepthwiseThreads)
    throw Error(Code::kUnsupported, "the result of a convolution has too many elements");
  return static_cast<uint32_t>(n);
}

class ConvDepthwise final : public Kernel {
 public:
  ConvDepthwise(Gpu& gpu, const ConvDepthwiseParameters& p)
      : gpu_(gpu), window_(p.conv.window), groups_(p.conv.groups), epilogue_(p.conv.epilogue), tile_(p.choice.tile) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      const TensorView& bias = call.inputs[2];
      if (bias.present() &&
          (bias.dtype != DType::kF32 || !is_plain(bias) || !bias.is_dense() || bias.elements() != out_.channels))
        return {Code::kShapeMismatch, "the bias of a convolution is one float32 for each channel"};
      plan_any();
      has_tiles_ = has_tiles();
      if (has_tiles_) plan_tiles();
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const bool words = has_tiles_ && is_aligned(call.inputs[0].data, word()) &&
                       is_aligned(call.outputs[0].data, word()) && is_aligned(call.inputs[3].data, word());
    return words ? launch_with(stream, tile_launch_, tiles_, call) : launch_with(stream, any_launch_, any_, call);
  }

 private:
  template <class Arguments>
  Status launch_with(Stream& stream, const Launch& launch, Arguments& a, const KernelCall& call) noexcept {
    a.x = call.inputs[0].data;
    a.weights = call.inputs[1].data;
    a.y = call.outputs[0].data;
    a.epilogue.bias = static_cast<const float*>(call.inputs[2].data);
    a.epilogue.residual = call.inputs[3].data;
    return gpu_.launch(stream, launch, a);
  }

  // Checks the operands, and fills what both ways to run have in common.
  Status read(const KernelCall& call) {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a convolution has four operands"};
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &sum = call.inputs[3], &y = call.outputs[0];
    if (!float_suffix(x.dtype)) return {Code::kMalformedPlan, "a convolution is of float32, float16 or bfloat16"};
    if (w.dtype != x.dtype || y.dtype != x.dtype || (sum.present() && sum.dtype != x.dtype))
      return {Code::kMalformedPlan, "the operands of a convolution are of one type"};
    const auto in = image_of(x), out = image_of(y), residual = sum.present() ? image_of(sum) : out;
    if (!in || !out || !residual || !is_plain(w) || !w.is_dense())
      return {Code::kMalformedPlan, "the operands of a convolution are no images"};
    if (sum.present() && !same_dims(sum, y))
      return {Code::kShapeMismatch, "the sum of a convolution has another shape"};
    if (in->channels % groups_ != 0 || out->channels % groups_ != 0)
      return {Code::kShapeMismatch, "the groups of a convolution do not divide its channels"};
    if (in->batch != out->batch || !window_.fits(0, in->height, out->height) || !window_.fits(1, in->width, out->width))
      return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
    if (w.elements() !=
        depthwise_weight_elements(window_.kernel[0], window_.kernel[1], in->channels / groups_, out->channels))
      return {Code::kShapeMismatch, "packed weights have another size"};
    in_ = *in;
    out_ = *out;
    residual_ = *residual;
    type_ = x.dtype;
    return kOkStatus;
  }

  int64_t word() const { return kDepthwiseLanes * element_bytes(type_); }
  // Channels lie innermost, in whole words.
  static bool in_words(const ImageView& v) {
    const auto whole = [](int64_t n) { return n % kDepthwiseLanes == 0; };
    return v.adjacent_channels() && whole(v.channels) && whole(v.pixel_stride) && whole(v.row_stride) &&
           whole(v.batch_stride);
  }
  bool has_tiles() const {
    return in_.channels == groups_ && out_.channels == groups_ && depthwise_tiles(window_) > 0 && in_words(in_) &&
           in_words(out_) && in_words(residual_) && out_.equidistant() && residual_.equidistant();
  }

  DepthwiseGeometry geometry() const {
    return {narrow_signed(in_.height),
            narrow_signed(in_.width),
            narrow_signed(out_.height),
            narrow_signed(out_.width),
            narrow_signed(window_.pads(0, in_.height, out_.height).first),
            narrow_signed(window_.pads(1, in_.width, out_.width).first),
            static_cast<uint32_t>(out_.channels),
            in_.batch_stride,
            in_.row_stride,
            in_.pixel_stride};
  }
  EpilogueArguments epilogue() const {
    EpilogueArguments e;
    e.residual_stride = residual_.pixel_stride;
    e.residual_after = epilogue_.residual_after;
    e.activation = epilogue_.activation;
    e.alpha = epilogue_.alpha;
    e.beta = epilogue_.beta;
    return e;
  }
  std::string function_name() const { return std::string("depthwise") + float_suffix(type_); }

  void plan_tiles() {
    DepthwiseArguments& a = tiles_;
    a = {};
    a.g = geometry();
    a.epilogue = epilogue();
    a.epilogue.in_words = 1;
    a.to_pixel = out_.pixel_stride;
    a.padded = static_cast<uint32_t>(depthwise_padded(in_.channels));
    const DepthwiseTile& shape = kDepthwiseTiles[tile_];
    const int64_t lanes = in_.channels / kDepthwiseLanes, slices = ceil_div(lanes, kMostRuns),
                  slice = slices > 0 ? ceil_div(lanes, slices) : 0;
    const int64_t tiles_w = ceil_div(out_.width, shape.columns), tiles_h = ceil_div(out_.height, shape.rows);
    a.slice = divisor(slice);
    a.slices = divisor(slices);
    a.tiles_w = divisor(tiles_w);
    a.tiles_h = divisor(tiles_h);
    a.count = thread_count({out_.batch, slices, tiles_h, tiles_w, slice});
    const std::string window = std::to_string(window_.kernel[0]) + "_" + std::to_string(window_.stride[0]);
    tile_launch_ = launch_of(function_name() + "_" + window + "_" + std::to_string(tile_), a.count);
  }

  void plan_any() {
    any_ = {};
    any_.g = geometry();
    any_.epilogue = epilogue();
    any_.terms = static_cast<uint32_t>(in_.channels / groups_);
    any_.columns = divisor(out_.channels / groups_);
    any_.from_channel = in_.channel_stride;
    for (const auto& [v, to] : {std::pair(&out_, &any_.to), std::pair(&residual_, &any_.residual)}) {
      (*to)[0] = v->batch_stride;
      (*to)[1] = v->channel_stride;
      (*to)[2] = v->row_stride;
      (*to)[3] = v->pixel_stride;
    }
    any_.padded = static_cast<uint32_t>(depthwise_padded(out_.channels));
    any_.count = thread_count({out_.batch, out_.channels, out_.height, out_.width});
    any_.by_rows = !out_.adjacent_channels();
    any_.all_channels = divisor(out_.channels);
    any_.all_rows = divisor(out_.height);
    any_.all_columns = divisor(out_.width);
    any_.taps_h = narrow_signed(window_.kernel[0]);
    any_.taps_w = narrow_signed(window_.kernel[1]);
    set_steps(any_, window_);
    any_launch_ = launch_of(function_name(), any_.count);
  }

  Launch launch_of(const std::string& name, uint32_t count) {
    return {gpu_.function("conv_depthwise", name), {blocks_for(count, kDepthwiseThreads), 1, 1}, kDepthwiseThreads};
  }

  Gpu& gpu_;
  SlidingWindow window_;
  int64_t groups_;
  EpilogueParameters epilogue_;
  int64_t tile_;
  ImageView in_, out_, residual_;
  DType type_ = DType::kInvalid;
  bool has_tiles_ = false;
  DepthwiseArguments tiles_ = {};
  DepthwiseAnyArguments any_ = {};
  Launch tile_launch_, any_launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_depthwise(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvDepthwise>(gpu, read_parameters<ConvDepthwiseParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
