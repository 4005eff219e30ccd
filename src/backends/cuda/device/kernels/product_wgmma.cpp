// Kernel "product_wgmma": products of few rows on tensor cores of compute capability 9.0. Inputs: x, weights packed by
// pack_wgmma_weights for kWholeTile, bias, residual; a program for the results, where there is one.
#include "backends/cuda/device/cu/product_wgmma.h"
#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kChunkAlignment = 1024;  // bytes, of the chunks

class ProductWgmma final : public BoxKernel<ProductWgmmaArguments> {
 public:
  ProductWgmma(Gpu& gpu, const ProductWgmmaParameters& p)
      : BoxKernel(gpu, p.conv, true), splits_(p.choice.splits), shares_(p.choice.shares) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      ConvOperands& o = operands_;
      KILN_RETURN_IF_ERROR(conv_.read(call, o));
      if (!flatten_when_flat(o)) return {Code::kMalformedPlan, "the kernel takes products of rows"};
      const int64_t columns = o.geometry.columns;
      if (call.inputs[1].elements() != wgmma_weight_elements(columns, 1, o.channels, o.bytes, kWholeTile))
        return {Code::kShapeMismatch, "packed weights have another size"};
      const int64_t column_tiles = ceil_div(columns, kWholeTile.columns), chunks = wgmma_chunks(1, o.channels, o.bytes);
      const int64_t held = std::min<int64_t>(ceil_div(chunks, splits_), kMostWholeChunks);
      if (splits_ > std::max<int64_t>(chunks, 1) || column_tiles % shares_ != 0)
        return {Code::kMalformedPlan, "the terms of a product or its column tiles do not split so"};
      const int64_t row_tiles = ceil_div(o.out.width, kWholeTile.rows());
      plan_arguments(call, row_tiles, chunks, held);
      source_.plan(o.in, o.channels, o.type, {kWholeTile.rows() / shares_, 1, 1}, 1, 1);
      const int shared = whole_shared(held) + kChunkAlignment;
      const std::string function = held * splits_ < chunks ? "product_wgmma_in_turn" : "product_wgmma";
      launch_.function = gpu_.function(module_of("product_wgmma", call), function + float_suffix(o.type), shared);
      launch_.grid[0] = blocks_for(row_tiles * column_tiles * splits_, 1);
      launch_.threads = kWholeGroups * 128 + 32;
      launch_.shared = static_cast<unsigned>(shared);
      launch_.cluster = static_cast<unsigned>(splits_ * shares_);
      return kOkStatus;
    });
  }

 private:
  void plan_arguments(const KernelCall& call, int64_t row_tiles, int64_t chunks, int64_t held) {
    const ConvGeometry& g = operands_.geometry;
    arguments_ = {};
    arguments_.to_row = g.to_pixel;
    arguments_.rows = narrow(operands_.out.width);
    arguments_.columns = g.columns;
    arguments_.chunks = narrow(chunks);
    arguments_.splits = narrow(splits_);
    arguments_.shares = narrow(shares_);
    arguments_.held = narrow(held);
    arguments_.row_tiles = divisor(row_tiles);
    arguments_.weights_are_constant = call.inputs[1].host != nullptr;
  }

  int64_t splits_, shares_;
};

}  // namespace

std::unique_ptr<Kernel> make_product_wgmma(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ProductWgmma>(gpu, read_parameters<ProductWgmmaParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
