// Kernel "conv_window": convolutions with windows of several taps and strides of one, on tensor cores of compute capability 9.0. Inputs: x,
// weights packed by pack_wgmma_weights, bias, residual. Parameters: those of ConvParameters, `tile` (an index of kGroupTiles), `splits`
// (blocks that share the channels of a tile), `stages` (taps whose weights are on their way at once) and `boxes` (the same of pixels).
#include "backends/cuda/device/kernels/conv_window.h"

#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kSlack = 1024;    // bytes to begin boxes at a multiple of
constexpr int64_t kBoxUnit = 1024;  // that boxes begin at multiples of
constexpr int64_t kLongestBox = 256;

}  // namespace

int64_t WindowBox::pixels() const { return pitch * rows * images; }
int64_t WindowBox::stride() const { return ceil_div(pixels() * kChunk, kBoxUnit) * kBoxUnit; }
bool WindowBox::is_possible() const { return pitch <= kLongestBox && rows <= kLongestBox; }

WindowBox WindowBox::of(const GroupTile& tile, int64_t width, int64_t height, int64_t batch, int64_t reach_w,
                        int64_t reach_h) {
  WindowBox best;
  int64_t least = -1;
  for (int64_t down = tile.groups; down >= 1; down /= 2) {
    const int64_t images = tile.groups / down;
    const int64_t tiles = ceil_div(width, kRunPixels) * ceil_div(height, kRunsOfGroup * down) * ceil_div(batch, images);
    if (least >= 0 && tiles >= least) continue;
    least = tiles;
    best = {down, images, kRunPixels + reach_w, kRunsOfGroup * down + reach_h, tiles};
  }
  return best;
}

int64_t window_shared(const GroupTile& tile, const WindowBox& box, int64_t splits, int64_t stages, int64_t boxes) {
  const int64_t parts = splits > 1 ? int64_t{tile.rows()} * tile.columns * 4 : 0;
  return kSlack + boxes * box.stride() + stages * tile.columns * kChunk + parts;
}

namespace {

class ConvWindow final : public Kernel {
 public:
  ConvWindow(Gpu& gpu, const Attributes& p)
      : gpu_(gpu),
        conv_(gpu, p),
        tile_(read_integer(p, "tile", 0, kGroupTileCount - 1)),
        splits_(read_integer(p, "splits", 1, kMaxSplits)),
        stages_(read_integer(p, "stages", 2, kMaxStages)),
        boxes_(read_integer(p, "boxes", 1, kMaxBoxes)) {
    if (!gpu.chip().has_wgmma()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 9.0");
    if (conv_.parameters().groups != 1) throw Error(Code::kMalformedPlan, "the kernel takes one group");
    if (kGroupTiles[tile_].groups * 8 % splits_ != 0)
      throw Error(Code::kMalformedPlan, "the rows of a tile do not split into " + std::to_string(splits_));
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      ConvOperands& o = operands_;
      const ConvGeometry& g = o.geometry;
      if (g.stride_w != 1 || g.stride_h != 1) return {Code::kMalformedPlan, "the kernel takes strides of one"};
      const GroupTile& tile = kGroupTiles[tile_];
      const WindowBox box = WindowBox::of(tile, o.out.width, o.out.height, o.out.batch,
                                          int64_t{g.taps_w - 1} * g.dilation_w, int64_t{g.taps_h - 1} * g.dilation_h);
      const int64_t shared = window_shared(tile, box, splits_, stages_, boxes_);
      if (!box.is_possible() || shared > gpu_.chip().shared_per_block)
        return {Code::kMalformedPlan, "the pixels under a tile take more memory than a block has"};
      ConvWindowArguments& a = arguments_;
      a = {};
      const PixelBox results{kRunPixels, kRunsOfGroup * box.down, box.images};
      KILN_RETURN_IF_ERROR(set_boxes(conv_, call, o, tile, results, a));
      a.chunks = a.chunks_per_tap.divisor;
      if (a.chunks < splits_)
        return {Code::kMalformedPlan, "the channels of a convolution are fewer chunks than the blocks that share them"};
      // A box is given back while the next is multiplied.
      if (boxes_ == 1 && a.chunks > splits_)
        return {Code::kMalformedPlan, "one box is too few for several chunks of channels"};
      a.box_bytes = static_cast<uint32_t>(box.pixels() * kChunk);
      a.box_stride = static_cast<uint32_t>(box.stride());
      a.pitch_bytes = static_cast<uint32_t>(box.pitch * kChunk);
      a.plane_bytes = static_cast<uint32_t>(box.pitch * box.rows * kChunk);
      a.groups_down = static_cast<uint32_t>(box.down);
      a.boxes = static_cast<uint32_t>(boxes_);
      a.splits = static_cast<uint32_t>(splits_);
      a.stages = static_cast<uint32_t>(stages_);
      a.batch = static_cast<int32_t>(o.out.batch);
      a.height = static_cast<int32_t>(o.out.height);
      a.width = static_cast<int32_t>(o.out.width);
      const int64_t row_tiles = results.count(o.out);
      a.row_tiles = FastDivisor::of(static_cast<uint32_t>(row_tiles));
      launch_.grid[0] = blocks_for(row_tiles * ceil_div(a.g.columns, tile.columns) * splits_, 1);
      source_.plan(o.in, o.channels, o.type, {box.pitch, box.rows, box.images}, 1, 1);
      launch_.function =
          gpu_.function("conv_window", "conv_window" + std::string(float_suffix(o.type)) + "_" + std::to_string(tile_),
                        static_cast<int>(shared));
      launch_.threads = static_cast<unsigned>(tile.threads());
      launch_.shared = static_cast<unsigned>(shared);
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
  Gpu& gpu_;
  ConvCall conv_;
  int64_t tile_, splits_, stages_, boxes_;
  ConvOperands operands_;
  ConvWindowArguments arguments_ = {};
  Launch launch_;
  PixelMap source_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_window(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvWindow>(gpu, parameters);
}

}  // namespace kiln::cuda::kernels
