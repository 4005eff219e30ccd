// Kernel "product_wgmma": products of few rows on tensor cores of compute capability 9.0. Inputs: x, weights packed by
// pack_wgmma_weights for kWholeTile, bias, residual. Parameters: those of ConvParameters, `splits` (blocks that share the terms of a
// tile) and `shares` (column tiles whose blocks fetch rows for each other).
#include "backends/cuda/device/cu/product_wgmma.h"
#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kAlignment = 1024;  // bytes, of the chunks

class ProductWgmma final : public Kernel {
 public:
  ProductWgmma(Gpu& gpu, const Attributes& p)
      : gpu_(gpu),
        conv_(gpu, p),
        splits_(read_integer(p, "splits", 1, kMostClusterBlocks)),
        shares_(read_integer(p, "shares", 1, kMostClusterBlocks)) {
    if (!gpu.chip().has_wgmma()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 9.0");
    const auto is_power = [](int64_t n) { return (n & (n - 1)) == 0; };
    if (!is_power(splits_) || !is_power(shares_) || splits_ * shares_ > kMostClusterBlocks)
      throw Error(Code::kMalformedPlan,
                  "a cluster has no " + std::to_string(splits_) + " times " + std::to_string(shares_) + " blocks");
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      ConvOperands& o = operands_;
      KILN_RETURN_IF_ERROR(conv_.read(call, o));
      if (!flatten_when_flat(o)) return {Code::kMalformedPlan, "the kernel takes products of rows"};
      const int64_t columns = o.geometry.columns;
      if (call.inputs[1].elements() != wgmma_weight_elements(columns, 1, o.channels, o.bytes, kWholeTile))
        return {Code::kShapeMismatch, "packed weights have another size"};
      const int64_t column_tiles = ceil_div(columns, kWholeTile.columns), chunks = wgmma_chunks(1, o.channels, o.bytes);
      const int64_t held = ceil_div(chunks, splits_);
      if (held > kMostWholeChunks || column_tiles % shares_ != 0)
        return {Code::kMalformedPlan, "the terms of a product or its column tiles do not split so"};
      const int64_t row_tiles = ceil_div(o.out.width, kWholeTile.rows());
      plan_arguments(call, row_tiles, chunks, held);
      source_.plan(o.in, o.channels, o.type, {kWholeTile.rows() / shares_, 1, 1}, 1, 1);
      const int shared = whole_shared(held) + kAlignment;
      launch_.function = gpu_.function("product_wgmma", "product_wgmma" + std::string(float_suffix(o.type)), shared);
      launch_.grid[0] = blocks_for(row_tiles * column_tiles * splits_, 1);
      launch_.threads = kWholeGroups * 128 + 32;
      launch_.shared = static_cast<unsigned>(shared);
      launch_.cluster = static_cast<unsigned>(splits_ * shares_);
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
  void plan_arguments(const KernelCall& call, int64_t row_tiles, int64_t chunks, int64_t held) {
    const auto narrow = [](int64_t n) { return static_cast<uint32_t>(n); };
    const ConvGeometry& g = operands_.geometry;
    arguments_ = {};
    arguments_.to_row = g.to_pixel;
    arguments_.rows = narrow(operands_.out.width);
    arguments_.columns = g.columns;
    arguments_.chunks = narrow(chunks);
    arguments_.splits = narrow(splits_);
    arguments_.shares = narrow(shares_);
    arguments_.held = narrow(held);
    arguments_.row_tiles = FastDivisor::of(narrow(row_tiles));
    arguments_.weights_are_constant = call.inputs[1].host != nullptr;
  }

  Gpu& gpu_;
  ConvCall conv_;
  int64_t splits_, shares_;
  ConvOperands operands_;
  ProductWgmmaArguments arguments_ = {};
  Launch launch_;
  PixelMap source_;
};

}  // namespace

std::unique_ptr<Kernel> make_product_wgmma(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ProductWgmma>(gpu, parameters);
}

}  // namespace kiln::cuda::kernels
