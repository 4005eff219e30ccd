// Tactic: products by weights of 4 or 8 bits in blocks.
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/tactics.h"
#include "base/checked.h"
#include "target/epilogue.h"

namespace kiln::cuda::tactics {
namespace {

kernels::BlockLayout block_layout(const Problem& p) {
  const Tensor& b = *p.input(1).constant;
  return {b.dims()[0], b.dims()[1], std::min(p.attributes().integer("block_size"), b.dims()[0]), bits(b.dtype())};
}

}  // namespace

const Tactic product_blocks{
    .name = "product_blocks",
    .version = 1,
    .ops = {"MatMulDequantized"},
    .accepts = [](const Problem& p) -> Refusal {
      if (!target_chip().has_cp_async())
        return refuse("compute capability is " + compute_text(target_chip()) + ", needs 8.0");
      const Argument &a = p.input(0), &y = p.outputs[0];
      if (!p.post().empty()) return refuse("it has post-operations");
      if (!a.ranked || !a.layout.is_plain() || !y.layout.is_plain()) return refuse("an operand has a blocked layout");
      if (!is_kernel_float(a.dtype)) return refuse("elements of type " + std::string(name(a.dtype)));
      for (int i = 1; i < p.node->base_input_count(); ++i)
        if (p.input(i).present && !p.input(i).constant) return refuse("a parameter is not constant");
      return p.input(1).constant->size() > 0 ? accept() : refuse("there are no weights");
    },
    // Few rows: those that share the terms among many warps come first.
    .configurations =
        [](const Problem& p) {
          const int64_t rows = element_count(p.outputs[0].opt) / std::max<int64_t>(p.outputs[0].opt.back(), 1);
          const int64_t first = rows <= kBlocksTiles[0].rows() ? 0 : rows <= kBlocksTiles[1].rows() ? 1 : 2;
          std::vector<Config> list{to_parameters(kernels::BlocksChoice{first})};
          for (int64_t tile = 0; tile < kBlocksTileCount; ++tile)
            if (tile != first && rows <= 16 * kBlocksTiles[tile].rows())
              list.push_back(to_parameters(kernels::BlocksChoice{tile}));
          return list;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const kernels::BlockLayout l = block_layout(p);
          const Tensor& b = *p.input(1).constant;
          const int64_t shift = is_signed_integer(b.dtype()) ? int64_t{1} << (l.bits - 1) : 0;
          Emitted e =
              emit_kernel("product_blocks",
                          kernels::ProductBlocksParameters{l, read_parameters<kernels::BlocksChoice>(config)}, {0});
          e.inputs.push_back(add_constant(e, kernels::pack_block_codes(l, b, shift)));
          e.inputs.push_back(add_constant(e, kernels::pack_block_scales(l, *p.input(2).constant)));
          e.inputs.push_back(add_constant(e, kernels::pack_block_zeros(l, p.input(3).constant, shift)));
          return e;
        },
};

}  // namespace kiln::cuda::tactics
