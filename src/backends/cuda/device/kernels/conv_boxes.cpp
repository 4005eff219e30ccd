// What the convolutions by boxes of pixels share.
#include "backends/cuda/device/kernels/conv_boxes.h"

namespace kiln::cuda::kernels {
namespace {

bool is_flat(const ConvOperands& o) {
  const ConvGeometry& g = o.geometry;
  return g.taps_h * g.taps_w == 1 && g.stride_h == 1 && g.stride_w == 1 && g.top == 0 && g.left == 0 &&
         o.in.equidistant() && o.in.height == o.out.height && o.in.width == o.out.width;
}

template <class To> void copy_to(To& to, std::initializer_list<int64_t> from) {
  std::transform(from.begin(), from.end(), to, [](int64_t n) { return static_cast<std::decay_t<decltype(*to)>>(n); });
}

}  // namespace

PixelBox PixelBox::covering(const ImageView& image, int64_t rows, int64_t most_w, int64_t most_h, int64_t enough) {
  const auto bounded = [](int64_t extent, int64_t most) { return std::clamp<int64_t>(extent, 1, most); };
  const int64_t fewest = std::max(ceil_div(image.pixels(), rows), enough);
  PixelBox best;
  int64_t best_cost = INT64_MAX;
  for (int64_t w = bounded(image.width, std::min(rows, most_w)); w >= 1 && best_cost > fewest; --w)
    for (int64_t h = bounded(image.height, std::min(rows / w, most_h)); h >= 1 && best_cost > fewest; --h) {
      const PixelBox box{w, h, bounded(image.batch, rows / (w * h))};
      if (const int64_t cost = std::max(box.count(image), enough); cost < best_cost) best = box, best_cost = cost;
    }
  // No longer than it must be to cover as much.
  const auto even = [](int64_t extent, int64_t length) {
    const int64_t whole = std::max<int64_t>(extent, 1);
    return ceil_div(whole, ceil_div(whole, length));
  };
  return {even(image.width, best.w), even(image.height, best.h), even(image.batch, best.n)};
}

int64_t PixelBox::across(const ImageView& image) const { return ceil_div(image.width, w); }
int64_t PixelBox::down(const ImageView& image) const { return ceil_div(image.height, h); }
int64_t PixelBox::count(const ImageView& image) const { return across(image) * down(image) * ceil_div(image.batch, n); }

bool flatten_when_flat(ConvOperands& o) {
  if (!is_flat(o)) return false;
  for (ImageView* v : {&o.in, &o.out}) {
    v->width = v->pixels();
    v->height = v->batch = 1;
    v->row_stride = v->batch_stride = v->pixel_stride * v->width;
  }
  o.geometry.height = 1;
  o.geometry.width = static_cast<int32_t>(o.in.width);
  return true;
}

Status set_boxes(const ConvCall& conv, const KernelCall& call, const ConvOperands& o, const GroupTile& tile,
                 const PixelBox& box, ConvBoxArguments& a) {
  const int64_t taps = conv.parameters().taps();
  if (call.inputs[1].elements() != wgmma_weight_elements(o.geometry.columns, taps, o.channels, o.bytes, tile))
    return {Code::kShapeMismatch, "packed weights have another size"};
  const int64_t chunks = wgmma_chunks(taps, o.channels, o.bytes);
  if (chunks > INT32_MAX) return {Code::kUnsupported, "a convolution has too many terms for its kernel"};
  a.g = o.geometry;
  a.chunks = static_cast<uint32_t>(chunks);
  a.box_bytes = static_cast<uint32_t>(box.w * box.h * box.n * kChunk);
  a.box_w = divisor(box.w);
  a.box_h = divisor(box.h);
  a.box_n = static_cast<uint32_t>(box.n);
  a.tiles_w = divisor(box.across(o.out));
  a.tiles_h = divisor(box.down(o.out));
  a.chunks_per_tap = divisor(chunks / std::max<int64_t>(taps, 1));
  a.tap_columns = FastDivisor::of(a.g.taps_w);
  a.weights_are_constant = call.inputs[1].host != nullptr;
  return kOkStatus;
}

Status plan_boxes(const ConvCall& conv, const KernelCall& call, const ConvOperands& o, const GroupTile& tile,
                  int64_t splits, const Chip& chip, PixelBox& box, ConvBoxArguments& a) {
  const auto longest = [](int64_t stride) { return (kLongestBox - 1) / stride + 1; };
  // Blocks that run at the same time anyway need not be fewer.
  const int64_t blocks_of_box = std::max<int64_t>(ceil_div(o.geometry.columns, tile.columns) * splits, 1);
  box = PixelBox::covering(o.out, tile.rows(), longest(o.geometry.stride_w), longest(o.geometry.stride_h),
                           chip.multiprocessors / blocks_of_box);
  return set_boxes(conv, call, o, tile, box, a);
}

void plan_group_launch(Gpu& gpu, const std::string& module, const std::string& kernel, const GroupChoice& choice,
                       const ConvOperands& o, const PixelBox& results, int64_t shared, ConvWgmmaArguments& a,
                       Launch& launch) {
  const GroupTile& tile = kGroupTiles[choice.tile];
  a.splits = static_cast<uint32_t>(choice.splits);
  a.stages = static_cast<uint32_t>(choice.stages);
  a.batch = static_cast<int32_t>(o.out.batch);
  a.height = static_cast<int32_t>(o.out.height);
  a.width = static_cast<int32_t>(o.out.width);
  const int64_t row_tiles = results.count(o.out);
  a.row_tiles = divisor(row_tiles);
  launch.grid[0] = blocks_for(row_tiles * ceil_div(a.g.columns, tile.columns) * choice.splits, 1);
  launch.function =
      gpu.function(module, kernel + float_suffix(o.type) + "_" + std::to_string(choice.tile), static_cast<int>(shared));
  launch.threads = static_cast<unsigned>(tile.threads());
  launch.shared = static_cast<unsigned>(shared);
  launch.cluster = static_cast<unsigned>(choice.splits);
}

void PixelMap::plan_tensor(const ImageView& image, int64_t channels, DType type) {
  const int bytes = element_bytes(type);
  type_ = type == DType::kF16    ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
          : type == DType::kBF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                 : CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  copy_to(dims_, {channels, image.width, image.height, image.batch});
  copy_to(strides_, {image.pixel_stride * bytes, image.row_stride * bytes, image.batch_stride * bytes});
  mapped_ = nullptr;
}

void PixelMap::plan(const ImageView& image, int64_t channels, DType type, const PixelBox& box, int64_t stride_w,
                    int64_t stride_h) {
  const auto reach = [](int64_t count, int64_t stride) { return (count - 1) * stride + 1; };
  plan_tensor(image, channels, type);
  swizzle_ = CU_TENSOR_MAP_SWIZZLE_128B;
  copy_to(box_, {kChunk / element_bytes(type), reach(box.w, stride_w), reach(box.h, stride_h), box.n});
  copy_to(steps_, {1, stride_w, stride_h, 1});
}

void PixelMap::plan_dense(const ImageView& image, DType type, const PixelBox& box, int64_t box_channels) {
  plan_tensor(image, image.channels, type);
  swizzle_ = CU_TENSOR_MAP_SWIZZLE_NONE;
  copy_to(box_, {box_channels, box.w, box.h, box.n});
  copy_to(steps_, {1, 1, 1, 1});
}

Status PixelMap::place(Gpu& gpu, const void* data) noexcept {
  if (data == mapped_) return kOkStatus;
  const CurrentContext current(gpu);
  KILN_RETURN_IF_ERROR(status_of(
      gpu.driver().cuTensorMapEncodeTiled(&map_, type_, 4, const_cast<void*>(data), dims_, strides_, box_, steps_,
                                          CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                          CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
      "a tensor cannot be read in boxes"));
  mapped_ = data;
  return kOkStatus;
}

}  // namespace kiln::cuda::kernels
