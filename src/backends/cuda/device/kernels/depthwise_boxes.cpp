// Kernel "depthwise_boxes": convolutions of each channel alone for compute capability 9.0 and later, of float16 or bfloat16, channels
// innermost and in whole words of 16 bytes, under the windows that has_depthwise_boxes knows. Inputs: x, weights packed by
// pack_depthwise_weights, bias, residual.
#include "backends/cuda/device/kernels/depthwise_boxes.h"

#include <algorithm>

#include "backends/cuda/device/kernels/depthwise.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kBlocks = 2;  // of a multiprocessor, for which there are registers
constexpr int64_t kMostBoxBytes = 48 << 10;
constexpr int64_t kMostImages = 8;  // of a tile

bool has_words(const ConvOperands& o) {
  const auto whole = [](int64_t n) { return n % kPieceHalves == 0; };
  return o.in.adjacent_channels() && whole(o.in.channels) && whole(o.in.pixel_stride) && whole(o.in.row_stride) &&
         whole(o.in.batch_stride) && whole(o.out.pixel_stride) && whole(o.epilogue.residual_stride);
}

class DepthwiseBoxes final : public Kernel {
 public:
  DepthwiseBoxes(Gpu& gpu, const DepthwiseBoxesParameters& p) : boxes_(gpu, p, false) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(boxes_.plan(call));
      boxes_.load();
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override { return boxes_.launch(stream, call); }

 private:
  DepthwiseBoxCall boxes_;
};

}  // namespace

DepthwiseBoxCall::DepthwiseBoxCall(Gpu& gpu, const DepthwiseBoxesParameters& p, bool adds_up)
    : gpu_(gpu),
      conv_(gpu, p.conv, ConvCall::Source::kAnywhere),
      patch_(p.choice.patch),
      pairs_(p.choice.pairs),
      adds_up_(adds_up) {
  if (!gpu.chip().has_boxes()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 9.0");
}

Status DepthwiseBoxCall::plan(const KernelCall& call) {
  const ConvOperands& o = operands_;
  KILN_RETURN_IF_ERROR(conv_.read(call, operands_));
  const TiledParameters& p = conv_.parameters();
  if (o.in.channels != p.groups || o.out.channels != p.groups || o.bytes != 2 || !has_words(o))
    return {Code::kMalformedPlan, "the operands are no whole words of channels of float16 or bfloat16, one in a group"};
  if (call.inputs[1].elements() != depthwise_weight_elements(p.window.kernel[0], p.window.kernel[1], 1, p.groups))
    return {Code::kShapeMismatch, "packed weights have another size"};
  if (o.out.pixels() == 0) {
    launch_.grid[0] = 0;
    parts_ = 0;
    return kOkStatus;
  }
  plan_tiles();
  arguments_.weights_are_constant = call.inputs[1].host != nullptr;
  return kOkStatus;
}

void DepthwiseBoxCall::load() {
  if (launch_.grid[0] == 0) return;
  const SlidingWindow& w = conv_.parameters().window;
  const std::string variant = std::to_string(w.kernel[0]) + "_" + std::to_string(w.stride[0]) + "_" +
                              std::to_string(patch_) + "_" + std::to_string(pairs_);
  launch_.function = gpu_.function(
      "depthwise_boxes",
      std::string(adds_up_ ? "depthwise_sums" : "depthwise_boxes") + float_suffix(operands_.type) + "_" + variant,
      static_cast<int>(launch_.shared));
}

Status DepthwiseBoxCall::launch(Stream& stream, const KernelCall& call, float* sums) noexcept {
  if (launch_.grid[0] == 0) return kOkStatus;
  const void *x = call.inputs[0].data, *residual = call.inputs[3].data;
  for (const void* data : {x, static_cast<const void*>(call.outputs[0].data), residual})
    if (!is_aligned(data, kPiece)) return {Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
  KILN_RETURN_IF_ERROR(source_.place(gpu_, x));
  DepthwiseBoxArguments& a = arguments_;
  a.weights = call.inputs[1].data;
  a.y = call.outputs[0].data;
  a.sums = sums;
  a.epilogue.bias = static_cast<const float*>(call.inputs[2].data);
  a.epilogue.residual = residual;
  return gpu_.launch(stream, launch_, source_.map(), a);
}

void DepthwiseBoxCall::plan_tiles() {
  const ConvOperands& o = operands_;
  const DepthwiseTile& shape = kDepthwisePatches[patch_];
  const int64_t slices = ceil_div(o.in.channels, 2 * pairs_);
  const Tile tile = best_tile(slices);
  const PixelBox box = box_under(tile);
  const int64_t tiles_w = ceil_div(o.out.width, tile.w * shape.columns),
                tiles_h = ceil_div(o.out.height, tile.h * shape.rows);
  const int64_t tiles = mul_or_throw(tiles_w * tiles_h, ceil_div(o.out.batch, tile.n), "the tiles of a convolution");
  if (tiles > INT32_MAX) throw Error(Code::kUnsupported, "a convolution has too many tiles for its kernel");
  parts_ = tiles_w * tiles_h;
  DepthwiseBoxArguments& a = arguments_;
  a = {};
  a.epilogue = o.epilogue;
  a.epilogue.in_words = 1;
  a.to_pixel = o.out.pixel_stride;
  a.batch = narrow(o.out.batch);
  a.channels = narrow(o.in.channels);
  a.padded = narrow(depthwise_padded(o.in.channels));
  a.out_height = static_cast<int32_t>(o.out.height);
  a.out_width = static_cast<int32_t>(o.out.width);
  a.top = o.geometry.top;
  a.left = o.geometry.left;
  a.tiles = narrow(tiles);
  a.box_w = narrow(box.w);
  a.box_h = narrow(box.h);
  a.box_n = narrow(box.n);
  a.box_bytes = narrow(box_bytes(box));
  a.stage_bytes = narrow(align_up(box_bytes(box), int64_t{128}));
  a.slices = divisor(slices);
  a.tiles_w = divisor(tiles_w);
  a.tiles_h = divisor(tiles_h);
  a.patches_w = divisor(tile.w);
  a.patches_h = narrow(tile.h);
  // Blocks of a slice share its tiles; all blocks run at once.
  const int64_t share = std::clamp<int64_t>(places() / slices, 1, tiles);
  const int64_t own = adds_up_ ? 6 << 10 : 2 << 10;  // bytes of a block that are not its stages
  const int64_t fit = (gpu_.chip().shared_per_block / kBlocks - own) / a.stage_bytes;
  a.stages = narrow(std::clamp<int64_t>(ceil_div(tiles, share), 1, std::clamp<int64_t>(fit, 1, kMaxDepthwiseStages)));
  launch_.grid[0] = blocks_for(mul_or_throw(share, slices, "the blocks of a convolution"), 1);
  launch_.threads = kDepthwiseBoxThreads;
  launch_.shared = a.stages * a.stage_bytes;
  source_.plan_dense(o.in, o.type, box, 2 * pairs_);
}

int64_t DepthwiseBoxCall::places() const { return gpu_.chip().multiprocessors * kBlocks; }
int64_t DepthwiseBoxCall::units() const { return kDepthwiseBoxThreads / pairs_; }

PixelBox DepthwiseBoxCall::box_under(const Tile& tile) const {
  const SlidingWindow& w = conv_.parameters().window;
  const DepthwiseTile& shape = kDepthwisePatches[patch_];
  return {(tile.w * shape.columns - 1) * w.stride[1] + w.kernel[1],
          (tile.h * shape.rows - 1) * w.stride[0] + w.kernel[0], tile.n};
}

// Turns of all blocks, times what a tile costs: the products of its patches, its pixels on their way, and the wait for them.
int64_t DepthwiseBoxCall::cost(int64_t slices, const Tile& tile, const PixelBox& box) const {
  constexpr int64_t kPixel = 4, kWait = 300;  // cycles
  const ImageView& out = operands_.out;
  const DepthwiseTile& shape = kDepthwisePatches[patch_];
  const int64_t side = conv_.parameters().window.kernel[0];
  const int64_t tiles = ceil_div(out.width, tile.w * shape.columns) * ceil_div(out.height, tile.h * shape.rows) *
                        ceil_div(out.batch, tile.n);
  const int64_t turns = ceil_div(tiles, std::max<int64_t>(places() / slices, 1));
  const int64_t patches = ceil_div(tile.w * tile.h, units() / tile.n) * units() * shape.rows * shape.columns;
  const int64_t products =
      patches * (side * side + 10) / 2 * pairs_ / 32;  // of a block, with what each result takes besides
  return turns * (products + box.w * box.h * box.n * kPixel * pairs_ / 32 + kWait);
}

DepthwiseBoxCall::Tile DepthwiseBoxCall::best_tile(int64_t slices) const {
  const ImageView& out = operands_.out;
  const DepthwiseTile& shape = kDepthwisePatches[patch_];
  const int64_t most_w = ceil_div(out.width, shape.columns), most_h = ceil_div(out.height, shape.rows);
  Tile best = {1, 1, 1};
  int64_t least = cost(slices, best, box_under(best));
  for (int64_t n = 1; n <= std::min(out.batch, kMostImages); n *= 2)
    for (int64_t h = 1; h <= most_h && fits({1, h, n}); ++h)
      for (int64_t w = 1; w <= most_w && fits({w, h, n}); ++w) {
        const Tile tile{w, h, n};
        const int64_t costs = cost(slices, tile, box_under(tile));
        if (costs < least) best = tile, least = costs;
      }
  return best;
}

bool DepthwiseBoxCall::fits(const Tile& tile) const {
  const PixelBox box = box_under(tile);
  return box_bytes(box) <= kMostBoxBytes && std::max(box.w, box.h) <= kLongestBox;
}

std::unique_ptr<Kernel> make_depthwise_boxes(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<DepthwiseBoxes>(gpu, read_parameters<DepthwiseBoxesParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
