// Kernel "conv_wgmma": convolutions and products on tensor cores of compute capability 9.0. Inputs: x, weights packed by
// pack_wgmma_weights, bias, residual. Parameters: those of ConvParameters, `tile` (an index of kGroupTiles), `splits` (blocks that
// share the terms of a tile) and `stages` (chunks on their way at once).
#include "backends/cuda/device/kernels/conv_call.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kSlack = 1024;  // bytes to begin stages at a multiple of
constexpr int64_t kLongestBox = 256;

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
      const int64_t taps = conv_.parameters().taps();
      const GroupTile& tile = kGroupTiles[tile_];
      if (call.inputs[1].elements() != wgmma_weight_elements(o.geometry.columns, taps, o.channels, o.bytes, tile))
        return {Code::kShapeMismatch, "packed weights have another size"};
      const int64_t chunks = wgmma_chunks(taps, o.channels, o.bytes);
      // A stage is given back while the next chunk is multiplied.
      if (stages_ == 1 && chunks > splits_)
        return {Code::kMalformedPlan, "one stage is too few for several chunks of terms"};
      if (chunks > INT32_MAX) return {Code::kUnsupported, "a convolution has too many terms for its kernel"};
      if (is_flat(o)) flatten(o);
      ConvWgmmaArguments& a = arguments_;
      a = {};
      a.g = o.geometry;
      a.chunks = static_cast<uint32_t>(chunks);
      a.splits = static_cast<uint32_t>(splits_);
      a.stages = static_cast<uint32_t>(stages_);
      a.batch = static_cast<int32_t>(o.out.batch);
      a.height = static_cast<int32_t>(o.out.height);
      a.width = static_cast<int32_t>(o.out.width);
      a.chunks_per_tap = divisor(chunks / std::max<int64_t>(taps, 1));
      a.tap_columns = FastDivisor::of(a.g.taps_w);
      a.weights_are_constant = call.inputs[1].host != nullptr;
      KILN_RETURN_IF_ERROR(plan_boxes(tile));
      launch_.function =
          gpu_.function("conv_wgmma", "conv_wgmma" + std::string(float_suffix(o.type)) + "_" + std::to_string(tile_),
                        static_cast<int>(shared_bytes()));
      launch_.threads = static_cast<unsigned>(tile.threads());
      launch_.shared = static_cast<unsigned>(shared_bytes());
      launch_.cluster = static_cast<unsigned>(splits_);
      mapped_ = nullptr;
      return kOkStatus;
    });
  }

  size_t workspace(const KernelCall& call) noexcept override {
    size_t wanted = 0;
    (void)guarded([&]() -> Status {
      ConvOperands o;
      KILN_RETURN_IF_ERROR(conv_.read(call, o));
      wanted = o.copied_bytes;
      return kOkStatus;
    });
    return wanted;
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (launch_.grid[0] == 0) return kOkStatus;
    const void* x = nullptr;
    KILN_RETURN_IF_ERROR(conv_.source(stream, operands_, call, x));
    KILN_RETURN_IF_ERROR(map_source(x));
    arguments_.weights = call.inputs[1].data;
    arguments_.y = call.outputs[0].data;
    arguments_.epilogue = conv_.epilogue(operands_, call);
    return gpu_.launch(stream, launch_, map_, arguments_);
  }

 private:
  static FastDivisor divisor(int64_t n) { return FastDivisor::of(static_cast<uint32_t>(std::max<int64_t>(n, 1))); }

  // The stages, and the sums that the blocks of a cluster send each other.
  int64_t shared_bytes() const {
    const GroupTile& tile = kGroupTiles[tile_];
    const int64_t parts = splits_ > 1 ? int64_t{tile.rows()} * tile.columns * 4 : 0;
    return kSlack + stages_ * tile.stage() + parts;
  }

  // Every pixel of the result is made of the one of the source in the same place, and all lie at equal distances.
  bool is_flat(const ConvOperands& o) const {
    const ConvGeometry& g = o.geometry;
    return g.taps_h * g.taps_w == 1 && g.stride_h == 1 && g.stride_w == 1 && g.top == 0 && g.left == 0 &&
           o.in.equidistant() && o.in.height == o.out.height && o.in.width == o.out.width;
  }
  static void flatten(ConvOperands& o) {
    for (ImageView* v : {&o.in, &o.out}) {
      v->width = v->pixels();
      v->height = v->batch = 1;
      v->row_stride = v->batch_stride = v->pixel_stride * v->width;
    }
    o.geometry.height = 1;
    o.geometry.width = static_cast<int32_t>(o.in.width);
  }

  // The largest boxes of pixels that a tile has rows for, all alike.
  Status plan_boxes(const GroupTile& tile) {
    const ConvOperands& o = operands_;
    ConvWgmmaArguments& a = arguments_;
    const auto longest = [](int64_t stride) { return (kLongestBox - 1) / stride + 1; };
    const auto even = [](int64_t extent, int64_t most) {
      const int64_t length = std::clamp<int64_t>(most, 1, std::max<int64_t>(extent, 1));
      return ceil_div(std::max<int64_t>(extent, 1), ceil_div(std::max<int64_t>(extent, 1), length));
    };
    const int64_t w = even(o.out.width, std::min<int64_t>(tile.rows(), longest(a.g.stride_w)));
    const int64_t h = even(o.out.height, std::min<int64_t>(tile.rows() / w, longest(a.g.stride_h)));
    const int64_t n =
        h == o.out.height ? std::clamp<int64_t>(tile.rows() / (w * h), 1, std::max<int64_t>(o.out.batch, 1)) : 1;
    a.box_w = divisor(w);
    a.box_h = divisor(h);
    a.box_n = static_cast<uint32_t>(n);
    a.box_bytes = static_cast<uint32_t>(w * h * n * kChunk);
    const int64_t tiles_w = ceil_div(o.out.width, w), tiles_h = ceil_div(o.out.height, h),
                  tiles_n = ceil_div(o.out.batch, n);
    a.tiles_w = divisor(tiles_w);
    a.tiles_h = divisor(tiles_h);
    a.row_tiles = divisor(tiles_w * tiles_h * tiles_n);
    launch_.grid[0] = blocks_for(tiles_w * tiles_h * tiles_n * ceil_div(a.g.columns, tile.columns) * splits_, 1);
    return kOkStatus;
  }

  // The tensor map holds the address of the source.
  Status map_source(const void* x) noexcept {
    if (x == mapped_) return kOkStatus;
    const ConvOperands& o = operands_;
    const ConvWgmmaArguments& a = arguments_;
    const auto bytes = [&](int64_t elements) { return static_cast<cuuint64_t>(elements * o.bytes); };
    const auto size = [](int64_t n) { return static_cast<cuuint64_t>(n); };
    const cuuint64_t dims[] = {size(o.channels), size(o.in.width), size(o.in.height), size(o.in.batch)};
    const cuuint64_t strides[] = {bytes(o.in.pixel_stride), bytes(o.in.row_stride), bytes(o.in.batch_stride)};
    const auto reach = [](uint32_t count, int32_t stride) { return (count - 1) * static_cast<uint32_t>(stride) + 1; };
    const cuuint32_t box[] = {static_cast<cuuint32_t>(kChunk / o.bytes), reach(a.box_w.divisor, a.g.stride_w),
                              reach(a.box_h.divisor, a.g.stride_h), a.box_n};
    const cuuint32_t steps[] = {1, static_cast<cuuint32_t>(a.g.stride_w), static_cast<cuuint32_t>(a.g.stride_h), 1};
    const CUtensorMapDataType type = o.type == DType::kF16    ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                     : o.type == DType::kBF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                                              : CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
    const CurrentContext current(gpu_);
    KILN_RETURN_IF_ERROR(status_of(
        gpu_.driver().cuTensorMapEncodeTiled(&map_, type, 4, const_cast<void*>(x), dims, strides, box, steps,
                                             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
        "a tensor cannot be read in boxes"));
    mapped_ = x;
    return kOkStatus;
  }

  Gpu& gpu_;
  ConvCall conv_;
  int64_t tile_, splits_, stages_;
  ConvOperands operands_;
  ConvWgmmaArguments arguments_ = {};
  Launch launch_;
  CUtensorMap map_ = {};
  const void* mapped_ = nullptr;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_wgmma(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvWgmma>(gpu, parameters);
}

}  // namespace kiln::cuda::kernels
