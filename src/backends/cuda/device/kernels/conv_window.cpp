// Kernel "conv_window": convolutions with windows of several taps and strides of one, on tensor cores of compute capability 9.0. Inputs: x,
// weights packed by pack_wgmma_weights, bias, residual; a program for the results, where there is one.
#include "backends/cuda/device/kernels/conv_window.h"

#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kBoxUnit = 1024;  // that boxes begin at multiples of

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

class ConvWindow final : public BoxKernel<ConvWindowArguments> {
 public:
  ConvWindow(Gpu& gpu, const ConvWindowParameters& p) : BoxKernel(gpu, p.conv, true), choice_(p.choice) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
      ConvOperands& o = operands_;
      const ConvGeometry& g = o.geometry;
      if (g.stride_w != 1 || g.stride_h != 1) return {Code::kMalformedPlan, "the kernel takes strides of one"};
      const GroupTile& tile = kGroupTiles[choice_.tile];
      const WindowBox box = WindowBox::of(tile, o.out.width, o.out.height, o.out.batch,
                                          int64_t{g.taps_w - 1} * g.dilation_w, int64_t{g.taps_h - 1} * g.dilation_h);
      const int64_t shared = window_shared(tile, box, choice_.splits, choice_.stages, choice_.boxes);
      if (!box.is_possible() || shared > gpu_.chip().shared_per_block)
        return {Code::kMalformedPlan, "the pixels under a tile take more memory than a block has"};
      ConvWindowArguments& a = arguments_;
      a = {};
      const PixelBox results{kRunPixels, kRunsOfGroup * box.down, box.images};
      KILN_RETURN_IF_ERROR(set_boxes(conv_, call, o, tile, results, a));
      a.chunks = a.chunks_per_tap.divisor;
      if (a.chunks < choice_.splits)
        return {Code::kMalformedPlan, "the channels of a convolution are fewer chunks than the blocks that share them"};
      // A box is given back while the next is multiplied.
      if (choice_.boxes == 1 && a.chunks > choice_.splits)
        return {Code::kMalformedPlan, "one box is too few for several chunks of channels"};
      a.box_bytes = static_cast<uint32_t>(box.pixels() * kChunk);
      a.box_stride = static_cast<uint32_t>(box.stride());
      a.pitch_bytes = static_cast<uint32_t>(box.pitch * kChunk);
      a.plane_bytes = static_cast<uint32_t>(box.pitch * box.rows * kChunk);
      a.groups_down = static_cast<uint32_t>(box.down);
      a.boxes = static_cast<uint32_t>(choice_.boxes);
      source_.plan(o.in, o.channels, o.type, {box.pitch, box.rows, box.images}, 1, 1);
      plan_group_launch(gpu_, module_of("conv_window", call), "conv_window", choice_, o, results, shared, a, launch_);
      return kOkStatus;
    });
  }

 private:
  WindowChoice choice_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_window(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvWindow>(gpu, read_parameters<ConvWindowParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
