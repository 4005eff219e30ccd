// Kernel "conv_wgmma": convolutions and products on tensor cores of compute capability 9.0. Inputs: x, weights packed by
// pack_wgmma_weights, bias, residual. Parameters: those of ConvParameters, `tile` (an index of kGroupTiles), `splits` (blocks that
// share the terms of a tile) and `stages` (chunks on their way at once).
#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kSlack = 1024;  // bytes to begin stages at a multiple of

class ConvWgmma final : public Kernel {
 public:
  ConvWgmma(Gpu& gpu, const Attributes& p)
      : gpu_(gpu),
        conv_(gpu, p),
        tile_(read_integer(p, "tile", 0, kGroupTileCount - 1)),
        splits_(read_integer(p, "splits", 1, kMaxSplits)),
        stages_(read_integer(p, "stages", 1, kMaxStages)) {
    if (!gpu.chip().has_wgmma()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 9.0");
    if (conv_.parameters().groups != 1) throw Error(Code::kMalformedPlan, "the kernel takes one group");
    if (kGroupTiles[tile_].groups * 8 % splits_ != 0)
      throw Error(Code::kMalformedPlan, "the rows of a tile do not split into " + std::to_string(splits_));
    if (shared_bytes() > gpu.chip().shared_per_block)
      throw Error(Code::kMalformedPlan, "the stages of a tile take " + std::to_string(shared_bytes()) +
                                            " bytes, a block has " + std::to_string(gpu.chip().shared_per_block));
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      ConvOperands& o = operands_;
      const GroupTile& tile = kGroupTiles[tile_];
      (void)flatten_when_flat(o);
      ConvWgmmaArguments& a = arguments_;
      a = {};
      PixelBox box;
      KILN_RETURN_IF_ERROR(plan_boxes(conv_, call, o, tile, splits_, gpu_.chip(), box, a));
      if (a.chunks < splits_)
        return {Code::kMalformedPlan, "the terms of a convolution are fewer than the blocks that share them"};
      // A stage is given back while the next chunk is multiplied.
      if (stages_ == 1 && a.chunks > splits_)
        return {Code::kMalformedPlan, "one stage is too few for several chunks of terms"};
      a.splits = static_cast<uint32_t>(splits_);
      a.stages = static_cast<uint32_t>(stages_);
      a.batch = static_cast<int32_t>(o.out.batch);
      a.height = static_cast<int32_t>(o.out.height);
      a.width = static_cast<int32_t>(o.out.width);
      const int64_t row_tiles = box.count(o.out);
      a.row_tiles = FastDivisor::of(static_cast<uint32_t>(row_tiles));
      launch_.grid[0] = blocks_for(row_tiles * ceil_div(a.g.columns, tile.columns) * splits_, 1);
      source_.plan(o.in, o.channels, o.type, box, a.g.stride_w, a.g.stride_h);
      launch_.function =
          gpu_.function("conv_wgmma", "conv_wgmma" + std::string(float_suffix(o.type)) + "_" + std::to_string(tile_),
                        static_cast<int>(shared_bytes()));
      launch_.threads = static_cast<unsigned>(tile.threads());
      launch_.shared = static_cast<unsigned>(shared_bytes());
      launch_.cluster = static_cast<unsigned>(splits_);
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override { return conv_.workspace(call); }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (launch_.grid[0] == 0) return kOkStatus;
    const void* x = nullptr;
    KILN_RETURN_IF_ERROR(conv_.source(stream, operands_, call, x));
    KILN_RETURN_IF_ERROR(source_.place(gpu_, x));
    arguments_.weights = call.inputs[1].data;
    arguments_.y = call.outputs[0].data;
    arguments_.epilogue = conv_.epilogue(operands_, call);
    return gpu_.launch(stream, launch_, source_.map(), arguments_);
  }

 private:
  // The stages, and the sums that the blocks of a cluster send each other.
  int64_t shared_bytes() const {
    const GroupTile& tile = kGroupTiles[tile_];
    const int64_t parts = splits_ > 1 ? int64_t{tile.rows()} * tile.columns * 4 : 0;
    return kSlack + stages_ * tile.stage() + parts;
  }

  Gpu& gpu_;
  ConvCall conv_;
  int64_t tile_, splits_, stages_;
  ConvOperands operands_;
  ConvWgmmaArguments arguments_ = {};
  Launch launch_;
  PixelMap source_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_wgmma(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvWgmma>(gpu, parameters);
}

}  // namespace kiln::cuda::kernels
