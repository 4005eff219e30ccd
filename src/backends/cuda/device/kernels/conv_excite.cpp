// Kernel "conv_excite": a convolution of each channel alone as "depthwise_boxes" does it, and the factors that squeeze-and-excite makes of
// its results. Inputs: those of "depthwise_boxes", then the weights and biases of both products as "squeeze_excite" has them. Results: y,
// and factors [n, c, 1, 1].
#include "backends/cuda/device/kernels/depthwise_boxes.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/kernels/squeeze.h"

namespace kiln::cuda::kernels {
namespace {

class ConvExcite final : public Kernel {
 public:
  ConvExcite(Gpu& gpu, const ConvExciteParameters& p) : gpu_(gpu), parameters_(p), boxes_(gpu, p.boxes, true) {
    launch_.threads = kFactorThreads;
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(check_counts(call));
      KILN_RETURN_IF_ERROR(boxes_.plan(conv_of(call)));
      const ConvOperands& o = boxes_.operands();
      const TensorView& factors = call.outputs[1];
      const auto row = image_of(factors);
      if (!row || factors.dtype != o.type || row->batch != o.out.batch || row->channels != o.out.channels ||
          row->height != 1 || row->width != 1 || !row->adjacent_channels())
        return {Code::kShapeMismatch, "the factors of squeeze-and-excite have another shape, type or layout"};
      KILN_RETURN_IF_ERROR(
          check_squeeze_weights(call.inputs.subspan(kBaseOperands), o.type, parameters_.products, o.out.channels));
      KILN_RETURN_IF_ERROR(plan_factors(call, row->batch_stride));
      boxes_.load();
      launch_.function = gpu_.function("squeeze_excite", std::string("squeeze_factors") + float_suffix(o.type),
                                       static_cast<int>(launch_.shared));
      return kOkStatus;
    });
  }

  // The sums of pixels.
  size_t workspace(const KernelCall& call) noexcept override {
    size_t wanted = kNoWorkspace;
    (void)guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(check_counts(call));
      DepthwiseBoxCall boxes(gpu_, parameters_.boxes, true);
      KILN_RETURN_IF_ERROR(boxes.plan(conv_of(call)));
      wanted = bytes_of_sums(boxes);
      return kOkStatus;
    });
    return wanted;
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (call.workspace_size < sums_bytes_)
      return {Code::kMalformedPlan, "the workspace of sums of pixels is too small"};
    const auto weights = call.inputs.subspan(kBaseOperands);
    for (int i : {0, 2})
      if (!is_aligned(weights[i].data, kPiece))
        return {Code::kInvalidArgument, "the weights of squeeze-and-excite do not lie at a multiple of 16 bytes"};
    auto* sums = static_cast<float*>(call.workspace);
    KILN_RETURN_IF_ERROR(boxes_.launch(stream, conv_of(call), sums));
    SqueezeExciteArguments& a = arguments_;
    a.sums = sums;
    a.y = call.outputs[1].data;
    place_squeeze_weights(weights, a);
    return gpu_.launch(stream, launch_, a);
  }

 private:
  static Status check_counts(const KernelCall& call) {
    if (call.inputs.size() != kBaseOperands + 4 || call.outputs.size() != 2)
      return {Code::kMalformedPlan, "a convolution with factors has eight operands and two results"};
    return kOkStatus;
  }
  static KernelCall conv_of(const KernelCall& call) {
    return {call.inputs.first(kBaseOperands), call.outputs.first(1), nullptr, 0};
  }
  static size_t bytes_of_sums(const DepthwiseBoxCall& boxes) {
    const ImageView& out = boxes.operands().out;
    const int64_t sums =
        mul_or_throw(mul_or_throw(out.batch, boxes.parts(), "sums of pixels"), out.channels, "sums of pixels");
    return static_cast<size_t>(mul_or_throw(sums, sizeof(float), "sums of pixels"));
  }

  Status plan_factors(const KernelCall& call, int64_t to_image) {
    const ImageView& out = boxes_.operands().out;
    const int64_t pixels = out.height * out.width;
    SqueezeExciteArguments& a = arguments_;
    set_squeeze(parameters_.products, out.batch, pixels, out.channels, kPieceHalves, a);
    // Few images are shared by many blocks.
    int64_t blocks = 1;
    while (blocks < kMostSqueezeBlocks && 2 * blocks * out.batch <= gpu_.chip().multiprocessors) blocks *= 2;
    a.blocks = a.slices = narrow(squeeze_slices(a.words, blocks));
    a.slice_words = narrow(ceil_div(int64_t{a.words}, int64_t{a.slices}));
    if (a.slice_words > kFactorThreads || pixels > INT32_MAX)
      return {Code::kUnsupported, "an image is too large for squeeze-and-excite"};
    SqueezeRoom room(gpu_.chip());
    if (!room.take_floats(a, kFactorThreads, kPieceHalves))
      return {Code::kUnsupported, "the means of an image do not fit a block's memory"};
    a.weight_words = take_squeeze_weights(room, gpu_.chip(), a, kPieceHalves);
    a.weights_are_constant = call.inputs[kBaseOperands].host && call.inputs[kBaseOperands + 2].host;
    a.parts = narrow(boxes_.parts());
    a.to_image = to_image;
    sums_bytes_ = bytes_of_sums(boxes_);
    launch_.shared = room.taken();
    launch_.cluster = a.blocks;
    launch_.grid[0] = blocks_for(std::min(out.batch, squeeze_clusters_at_once(gpu_.chip(), launch_)) * a.blocks, 1);
    return kOkStatus;
  }

  Gpu& gpu_;
  ConvExciteParameters parameters_;
  DepthwiseBoxCall boxes_;
  SqueezeExciteArguments arguments_ = {};
  Launch launch_;
  size_t sums_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_excite(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvExcite>(gpu, read_parameters<ConvExciteParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
