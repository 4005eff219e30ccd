// Kernel "conv_stream": convolutions and products of many rows on tensor cores of compute capability 9.0, of float16 or bfloat16,
// whose results are made of whole words. Inputs: x, weights packed by pack_wgmma_weights, bias, residual.
#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

class ConvStream final : public Kernel {
 public:
  ConvStream(Gpu& gpu, const ConvStreamParameters& p)
      : gpu_(gpu),
        conv_(gpu, p.conv),
        tile_(kStreamTiles[p.choice.tile]),
        apart_(p.choice.apart),
        name_(std::to_string(p.choice.tile)),
        stages_(p.choice.stages),
        buffers_(p.choice.buffers) {
    if (!gpu.chip().has_wgmma()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 9.0");
    p.conv.require_one_group();
    if (shared_bytes() > gpu.chip().shared_per_block)
      throw Error(Code::kMalformedPlan, "the stages and buffers of a tile take " + std::to_string(shared_bytes()) +
                                            " bytes, a block has " + std::to_string(gpu.chip().shared_per_block));
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      ConvOperands& o = operands_;
      if (o.bytes != 2 || !o.results_in_words)
        return {Code::kMalformedPlan, "the results are no whole words of float16 or bfloat16"};
      if (apart_ && call.inputs[3].present())
        return {Code::kMalformedPlan, "results that further warps activate have no residual"};
      (void)flatten_when_flat(o);
      ConvStreamArguments& a = arguments_;
      a = {};
      PixelBox box;
      KILN_RETURN_IF_ERROR(plan_boxes(conv_, call, o, {tile_.rows / 64, tile_.columns}, 1, gpu_.chip(), box, a));
      if (a.chunks == 0) return {Code::kMalformedPlan, "a convolution has no terms"};
      a.stages = static_cast<uint32_t>(stages_);
      a.buffers = static_cast<uint32_t>(buffers_);
      const int64_t column_tiles = ceil_div(a.g.columns, tile_.columns), tiles = box.count(o.out) * column_tiles;
      const bool empty = o.out.pixels() == 0;
      if (tiles > INT32_MAX) return {Code::kUnsupported, "a convolution has too many tiles for its kernel"};
      a.tiles = static_cast<uint32_t>(tiles);
      a.column_tiles = divisor(column_tiles);
      source_.plan(o.in, o.channels, o.type, box, a.g.stride_w, a.g.stride_h);
      result_.plan(o.out, o.out.channels, o.type, box, 1, 1);
      residual_.plan(placed_like(o.out, o.epilogue.residual_stride), o.out.channels, o.type, box, 1, 1);
      launch_.function = gpu_.function(
          "conv_stream",
          (apart_ ? "conv_stream_apart" : "conv_stream") + std::string(float_suffix(o.type)) + "_" + name_,
          static_cast<int>(shared_bytes()));
      launch_.grid[0] = empty ? 0 : blocks_for(std::min<int64_t>(tiles, gpu_.chip().multiprocessors), 1);
      launch_.threads = kStreamThreads;
      launch_.shared = static_cast<unsigned>(shared_bytes());
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override { return conv_.workspace(call); }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (launch_.grid[0] == 0) return kOkStatus;
    const void *x = nullptr, *y = call.outputs[0].data, *residual = call.inputs[3].data;
    KILN_RETURN_IF_ERROR(conv_.source(stream, operands_, call, x));
    if (!is_aligned(y, kPiece) || !is_aligned(residual, kPiece))
      return {Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
    KILN_RETURN_IF_ERROR(source_.place(gpu_, x));
    KILN_RETURN_IF_ERROR(result_.place(gpu_, y));
    if (residual) KILN_RETURN_IF_ERROR(residual_.place(gpu_, residual));
    arguments_.weights = call.inputs[1].data;
    arguments_.epilogue = conv_.epilogue(operands_, call);
    return gpu_.launch(stream, launch_, source_.map(), residual_.map(), result_.map(), arguments_);
  }

 private:
  int64_t shared_bytes() const { return kSlack + stages_ * tile_.stage() + buffers_ * tile_.result(); }

  // The image of the same pixels, at equal distances.
  static ImageView placed_like(ImageView v, int64_t pixel_stride) {
    v.pixel_stride = pixel_stride;
    v.row_stride = pixel_stride * v.width;
    v.batch_stride = v.row_stride * v.height;
    return v;
  }

  Gpu& gpu_;
  ConvCall conv_;
  StreamTile tile_;
  bool apart_;
  std::string name_;
  int64_t stages_, buffers_;
  ConvOperands operands_;
  ConvStreamArguments arguments_ = {};
  Launch launch_;
  PixelMap source_, residual_, result_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_stream(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvStream>(gpu, read_parameters<ConvStreamParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
