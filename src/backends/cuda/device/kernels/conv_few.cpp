// Kernel "conv_few": convolutions of at most four channels on tensor cores of compute capability 8.0 and later. Inputs: x in any
// layout, of the type of the weights or float32, weights packed by pack_few_weights, bias, residual.
#include "backends/cuda/device/cu/conv_few.h"

#include "backends/cuda/device/kernels/conv_call.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

class ConvFew final : public Kernel {
 public:
  ConvFew(Gpu& gpu, const ConvFewParameters& p)
      : gpu_(gpu),
        conv_(gpu, p.conv, ConvCall::Source::kAnywhereOrFloat32),
        columns_(p.choice.columns),
        lines_(p.choice.lines) {
    if (!gpu.chip().has_cp_async()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 8.0");
    p.conv.require_one_group();
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      const ConvOperands& o = operands_;
      const SlidingWindow& w = conv_.parameters().window;
      if (o.channels > kFewChannels) return {Code::kMalformedPlan, "the kernel takes at most four channels"};
      if (call.inputs[1].elements() !=
          few_weight_elements(o.geometry.columns, conv_.parameters().taps(), o.bytes, columns_))
        return {Code::kShapeMismatch, "packed weights have another size"};
      const FewShape shape = few_shape(w, o.bytes, columns_, lines_);
      if (shape.shared > gpu_.chip().shared_per_block)
        return {Code::kMalformedPlan, "a patch of the source does not fit a block's memory"};
      const int64_t tiles_w = ceil_div(o.out.width, kFewAcross), tiles_h = ceil_div(o.out.height, lines_);
      const int64_t tiles = tiles_w * tiles_h * o.out.batch;
      ConvFewArguments& a = arguments_;
      a = {};
      a.g = o.geometry;
      a.from_channel = o.in.channel_stride;
      a.out_height = static_cast<int32_t>(o.out.height);
      a.out_width = static_cast<int32_t>(o.out.width);
      a.tiles = static_cast<uint32_t>(tiles);
      a.tiles_w = divisor(tiles_w);
      a.tiles_h = divisor(tiles_h);
      a.row_bytes = static_cast<uint32_t>(shape.row_bytes);
      a.steps = a.row_bytes / kFewStepBytes;
      a.patch_rows = static_cast<uint32_t>(shape.patch_rows);
      a.patch_columns = divisor(shape.patch_columns);
      a.tap_columns = divisor(w.kernel[1]);
      a.weights_are_constant = call.inputs[1].host != nullptr;
      const std::string tile =
          std::string(o.casts ? "_from_f32" : "") + "_" + std::to_string(columns_) + "_" + std::to_string(lines_);
      launch_.function = gpu_.function("conv_few", "conv_few" + std::string(float_suffix(o.type)) + tile,
                                       static_cast<int>(shape.shared));
      // Blocks that run at once go from tile to tile with the weights that they hold.
      const int64_t at_once = std::min<int64_t>(gpu_.chip().shared_per_block / shape.shared,
                                                few_blocks(static_cast<int>(columns_), static_cast<int>(lines_)));
      launch_.grid = {blocks_for(std::min(tiles, at_once * gpu_.chip().multiprocessors), 1),
                      blocks_for(a.g.columns, columns_), 1};
      launch_.threads = kFewThreads;
      launch_.shared = static_cast<unsigned>(shape.shared);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    arguments_.x = call.inputs[0].data;
    arguments_.weights = call.inputs[1].data;
    arguments_.y = call.outputs[0].data;
    arguments_.epilogue = conv_.epilogue(operands_, call);
    if (!is_aligned(arguments_.weights, kPiece))
      return {Code::kInvalidArgument, "the weights of a convolution do not lie at a multiple of 16 bytes"};
    return gpu_.launch(stream, launch_, arguments_);
  }

 private:
  Gpu& gpu_;
  ConvCall conv_;
  int64_t columns_, lines_;
  ConvOperands operands_;
  ConvFewArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_few(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvFew>(gpu, read_parameters<ConvFewParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
