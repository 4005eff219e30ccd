// Tactic: products of very many rows, whose weights are fetched once for two multiprocessors.
#include "backends/cuda/device/cu/product_stream.h"

#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/conv_problem.h"
#include "backends/cuda/target/tactics.h"
#include "base/checked.h"

namespace kiln::cuda::tactics {
namespace {

Refusal accepts_product_stream(const Problem& p) {
  const Chip& chip = target_chip();
  if (!chip.has_wgmma()) return refuse("compute capability is " + std::to_string(chip.compute) + ", needs 90");
  TiledProblem t;
  if (const Refusal r = read_tiled(p, t); r.refused()) return r;
  if (t.weights.groups > 1) return refuse("there are " + std::to_string(t.weights.groups) + " groups, needs one");
  if (!t.matrix && !keeps_pixels(p, t)) return refuse("the pixels of the result are not those of x");
  if (t.weights.bytes != 2)
    return refuse("elements of type " + std::string(name(t.type)) + ", needs float16 or bfloat16");
  if (t.weights.columns % 8 != 0)
    return refuse(std::to_string(t.weights.columns) + " columns are no whole words of 16 bytes");
  const int64_t tiles =
      ceil_div(t.product.rows, int64_t{kPairTile.rows()}) * ceil_div(t.product.columns, int64_t{kPairTile.columns});
  if (2 * tiles < chip.multiprocessors)
    return refuse("there are " + std::to_string(tiles) + " tiles of 128 rows and 256 columns, too few for " +
                  std::to_string(chip.multiprocessors) + " multiprocessors");
  return accept();
}

}  // namespace

const Tactic product_stream{
    .name = "product_stream",
    .version = 1,
    .ops = {"MatMul", "Gemm", "Conv"},
    .accepts = accepts_product_stream,
    .configurations =
        [](const Problem&) { return std::vector<Config>{{{"lead", int64_t{0}}}, {{"lead", int64_t{2}}}}; },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = tiled_problem(p);
          return emit_tiled(t, "product_stream", kernels::pack_wgmma_weights(t.weights, t.type, kPairTile), config);
        },
};

}  // namespace kiln::cuda::tactics
