// Kernel "product_stream": products of very many rows on tensor cores of compute capability 9.0, of float16 or bfloat16, whose results are
// made of whole words. Inputs: x, weights packed by pack_wgmma_weights in tiles of kPairTile, bias, residual. Parameters: those of
// ConvParameters, and `lead`, the chunks that one half of a block is ahead of the other.
#include "backends/cuda/device/cu/product_stream.h"

#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int kShared = kPairShared + 1024;  // to begin stages at a multiple of it

class ProductStream final : public Kernel {
 public:
  ProductStream(Gpu& gpu, const Attributes& p)
      : gpu_(gpu), conv_(gpu, p), lead_(read_integer(p, "lead", 0, kPairStages - 1)) {
    if (!gpu.chip().has_wgmma()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 9.0");
    if (conv_.parameters().groups != 1) throw Error(Code::kMalformedPlan, "the kernel takes one group");
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      ConvOperands& o = operands_;
      KILN_RETURN_IF_ERROR(conv_.read(call, o));
      if (!flatten_when_flat(o)) return {Code::kMalformedPlan, "the kernel takes products of rows"};
      if (o.bytes != 2 || !o.results_in_words)
        return {Code::kMalformedPlan, "the results are no whole words of float16 or bfloat16"};
      const int64_t columns = o.geometry.columns, chunks = wgmma_chunks(1, o.channels, o.bytes);
      if (call.inputs[1].elements() != wgmma_weight_elements(columns, 1, o.channels, o.bytes, kPairTile))
        return {Code::kShapeMismatch, "packed weights have another size"};
      if (chunks == 0) return {Code::kMalformedPlan, "a product has no terms"};
      const int64_t column_tiles = ceil_div(columns, kPairTile.columns);
      const int64_t tiles = ceil_div(o.out.width, kPairBlocks * kPairTile.rows()) * column_tiles;
      if (std::max(tiles, chunks) > INT32_MAX)
        return {Code::kUnsupported, "a product has too many tiles or terms for its kernel"};
      plan_arguments(call, tiles, column_tiles, chunks);
      source_.plan(o.in, o.channels, o.type, {kPairTile.rows(), 1, 1}, 1, 1);
      result_.plan(o.out, columns, o.type, {64, 1, 1}, 1, 1);
      launch_.function = gpu_.function("product_stream", "product_stream" + std::string(float_suffix(o.type)), kShared);
      launch_.grid[0] =
          kPairBlocks * blocks_for(std::min<int64_t>(tiles, gpu_.chip().multiprocessors / kPairBlocks), 1);
      launch_.threads = kPairThreads;
      launch_.shared = kShared;
      launch_.cluster = kPairBlocks;
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override { return conv_.workspace(call); }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (launch_.grid[0] == 0) return kOkStatus;
    const void *x = nullptr, *y = call.outputs[0].data;
    KILN_RETURN_IF_ERROR(conv_.source(stream, operands_, call, x));
    if (!is_aligned(y, kPiece) || !is_aligned(call.inputs[3].data, kPiece))
      return {Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
    KILN_RETURN_IF_ERROR(source_.place(gpu_, x));
    KILN_RETURN_IF_ERROR(result_.place(gpu_, y));
    arguments_.weights = call.inputs[1].data;
    arguments_.epilogue = conv_.epilogue(operands_, call);
    return gpu_.launch(stream, launch_, source_.map(), result_.map(), arguments_);
  }

 private:
  void plan_arguments(const KernelCall& call, int64_t tiles, int64_t column_tiles, int64_t chunks) {
    const auto narrow = [](int64_t n) { return static_cast<uint32_t>(n); };
    arguments_ = {};
    arguments_.rows = narrow(operands_.out.width);
    arguments_.columns = operands_.geometry.columns;
    arguments_.chunks = narrow(chunks);
    arguments_.tiles = narrow(tiles);
    arguments_.lead = narrow(lead_);
    arguments_.column_tiles = FastDivisor::of(narrow(column_tiles));
    arguments_.weights_are_constant = call.inputs[1].host != nullptr;
  }

  Gpu& gpu_;
  ConvCall conv_;
  int64_t lead_;
  ConvOperands operands_;
  ProductStreamArguments arguments_ = {};
  Launch launch_;
  PixelMap source_, result_;
};

}  // namespace

std::unique_ptr<Kernel> make_product_stream(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ProductStream>(gpu, parameters);
}

}  // namespace kiln::cuda::kernels
