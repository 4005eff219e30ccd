// Tactic: products of few rows.
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/conv_problem.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
const Tactic skinny{
    .name = "skinny",
    .version = 1,
    .ops = {"Conv", "MatMul", "Gemm"},
    .accepts = [](const Problem& p) -> Refusal {
      TiledProblem t;
      if (const Refusal r = read_exact(p, t); r.refused()) return r;
      constexpr int64_t kMostRows = 64;
      if (t.product.rows > kMostRows)
        return refuse("there are " + std::to_string(t.product.rows) + " rows, more than " + std::to_string(kMostRows));
      if (t.weights.groups > 1) return refuse("there are " + std::to_string(t.weights.groups) + " groups, needs one");
      if (!t.matrix && !keeps_pixels(p, t)) return refuse("the pixels of the result are not those of x");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const TiledProblem t = tiled_problem(p);
          return emit_tiled_rows(t, "skinny", kernels::pack_mma_weights(t.weights, t.type), parameters_of(t));
        },
};

}  // namespace kiln::cuda::tactics
