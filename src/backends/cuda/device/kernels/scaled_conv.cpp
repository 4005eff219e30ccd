// Kernel "scaled_conv": 1x1 convolutions of images times a factor for each channel of each image, of float16 or bfloat16, channels
// innermost and in whole words of 16 bytes, for few output channels. Inputs: x, weights packed by pack_mma_weights, bias, residual, factors
// [n, c, 1, 1].
#include "backends/cuda/device/cu/scaled_conv.h"

#include "backends/cuda/device/kernels/conv_call.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

class ScaledConv final : public Kernel {
 public:
  ScaledConv(Gpu& gpu, const ScaledConvParameters& p)
      : gpu_(gpu), conv_(gpu, p.conv, ConvCall::Source::kAnywhere), squares_(p.choice.squares) {
    if (!gpu.chip().has_cp_async()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 8.0");
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != kBaseOperands + 1)
        return {Code::kMalformedPlan, "a scaled convolution has five operands"};
      ConvOperands& o = operands_;
      KILN_RETURN_IF_ERROR(conv_.read(conv_of(call), o));
      if (o.bytes != 2 || !o.in.equidistant() || o.in.channels % kPieceHalves != 0 ||
          o.in.pixel_stride % kPieceHalves != 0)
        return {Code::kMalformedPlan, "x is no image of whole words of channels of float16 or bfloat16"};
      if (call.inputs[1].elements() != mma_weight_elements(1, o.geometry.columns, 1, o.channels, o.bytes))
        return {Code::kShapeMismatch, "packed weights have another size"};
      const TensorView& factors = call.inputs[kBaseOperands];
      const auto row = image_of(factors);
      if (!row || factors.dtype != o.type || row->batch != o.in.batch || row->channels != o.in.channels ||
          row->height != 1 || row->width != 1 || !row->adjacent_channels() || row->batch_stride % kPieceHalves != 0)
        return {Code::kShapeMismatch, "the factors of a scaled convolution have another shape, type or layout"};
      KILN_RETURN_IF_ERROR(plan(row->batch_stride));
      arguments_.weights_are_constant = call.inputs[1].host != nullptr;
      launch_.function = gpu_.function("scaled_conv",
                                       "scaled_conv" + std::string(float_suffix(o.type)) + "_" +
                                           std::to_string(squares_) + "_" + std::to_string(runs_),
                                       static_cast<int>(launch_.shared));
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    ScaledConvArguments& a = arguments_;
    a.x = call.inputs[0].data;
    a.weights = call.inputs[1].data;
    a.factors = call.inputs[kBaseOperands].data;
    a.y = call.outputs[0].data;
    for (const void* data : {a.x, a.weights, a.factors})
      if (!is_aligned(data, kPiece)) return {Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
    a.epilogue = conv_.epilogue(operands_, call);
    return gpu_.launch(stream, launch_, a);
  }

 private:
  static KernelCall conv_of(const KernelCall& call) {
    return {call.inputs.first(kBaseOperands), call.outputs, call.workspace, call.workspace_size};
  }

  Status plan(int64_t from_factors) {
    const ConvOperands& o = operands_;
    const int64_t term_runs = ceil_div(o.channels, int64_t{kScaledRun});
    runs_ = ceil_div(int64_t{o.geometry.columns}, int64_t{kScaledRun});
    if (!has_scaled_tile(static_cast<int>(squares_), static_cast<int>(runs_)))
      return {Code::kUnsupported, "a scaled convolution has too many output channels for its kernel"};
    if (mul_or_throw(o.in.batch, from_factors, "factors") > INT32_MAX || o.channels > kMostScaledTerms)
      return {Code::kUnsupported, "a scaled convolution has too many channels for its kernel"};
    const int64_t shared = runs_ * kScaledRun * scaled_row_bytes(narrow(term_runs));
    if (shared > gpu_.chip().shared_per_block)
      return {Code::kUnsupported, "the weights of a scaled convolution do not fit a block's memory"};
    ScaledConvArguments& a = arguments_;
    a = {};
    a.from_pixel = o.in.pixel_stride;
    a.to_pixel = o.out.pixel_stride;
    a.from_factors = narrow(from_factors);
    a.pixels = o.geometry.pixels;
    a.columns = o.geometry.columns;
    a.terms = narrow(o.channels);
    a.term_runs = narrow(term_runs);
    a.image = o.geometry.out_plane;
    const int64_t tiles = ceil_div(int64_t{a.pixels}, 16 * squares_);
    launch_.grid[0] =
        blocks_for(std::min<int64_t>(ceil_div(tiles, kScaledThreads / 32), gpu_.chip().multiprocessors), 1);
    launch_.threads = kScaledThreads;
    launch_.shared = static_cast<unsigned>(shared);
    return kOkStatus;
  }

  Gpu& gpu_;
  ConvCall conv_;
  int64_t squares_, runs_ = 0;  // of 16 rows of a warp; of kScaledRun columns
  ConvOperands operands_;
  ScaledConvArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_scaled_conv(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ScaledConv>(gpu, read_parameters<ScaledConvParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
