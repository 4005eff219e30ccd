// Tactic: products of few rows whose terms lie in shared memory all at once, as far as there is room.
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/conv_problem.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

Refusal accepts_whole(const Problem& p) {
  const Chip& chip = target_chip();
  if (!chip.has_wgmma()) return refuse("compute capability is " + std::to_string(chip.compute) + ", needs 90");
  TiledProblem t;
  if (const Refusal r = read_tiled(p, t); r.refused()) return r;
  if (t.weights.groups > 1) return refuse("there are " + std::to_string(t.weights.groups) + " groups, needs one");
  if (!t.matrix && !keeps_pixels(p, t)) return refuse("the pixels of the result are not those of x");
  if (whole_configs(t.product, chip).empty())
    return refuse(std::to_string(t.product.rows) + " rows, " + std::to_string(t.product.columns) + " columns and " +
                  std::to_string(t.product.chunks) + " chunks of terms are too many");
  return accept();
}

}  // namespace

const Tactic product_wgmma{
    .name = "product_wgmma",
    .version = 2,
    .ops = {"MatMul", "Gemm", "Conv"},
    .accepts = accepts_whole,
    .configurations = [](const Problem& p) { return whole_configs(tiled_problem(p).product, target_chip()); },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = tiled_problem(p);
          const auto choice = read_parameters<kernels::WholeChoice>(config);
          return emit_tiled_rows(t, "product_wgmma", kernels::pack_wgmma_weights(t.weights, t.type, kWholeTile),
                                 kernels::ProductWgmmaParameters{parameters_of(t), choice});
        },
};

}  // namespace kiln::cuda::tactics
