// Tactic: matrix products whose right operand is packed while running, over leading axes that broadcast.
#include <algorithm>

#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/matrix/product_problem.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

// Products in parallel, or one product on all threads.
std::vector<BlockConfig> batch_configs(const ProductProblem& product, int threads) {
  const int64_t rows = product.shared_b ? product.m * product.batch : product.m;
  std::vector<BlockConfig> list = gemm_configs(rows, product.n, product.k, threads);
  if (product.shared_b || product.batch < 2 || threads < 2) return list;
  const std::vector<BlockConfig> whole = gemm_configs(product.m * product.batch, product.n, product.k, threads);
  const int32_t useful = whole[0].row_threads * whole[0].column_threads;
  std::vector<BlockConfig> result;
  for (BlockConfig c : list) {
    c.row_threads = useful;
    c.column_threads = 1;
    if (std::find(result.begin(), result.end(), c) == result.end()) result.push_back(c);
  }
  return result;
}

}  // namespace

const Tactic gemm_batched{
    .name = "gemm_batched",
    .version = 1,
    .ops = {"MatMul", "Gemm"},
    .accepts = [](const Problem& p) -> Refusal {
      ProductProblem product;
      const Refusal r = read_product(p, product);
      if (r.refused()) return r;
      if (product.transpose_a) return refuse("a is transposed");
      if (p.input(1).constant && product.shared_b)
        return refuse("b is one constant matrix, packed when the engine is built");
      if (product.alpha != 1) return refuse("alpha is " + std::to_string(product.alpha) + ", needs 1");
      return accept();
    },
    .configurations =
        [](const Problem& p) {
          std::vector<Config> list;
          for (const BlockConfig& c : batch_configs(product_problem(p), p.threads))
            list.push_back(to_parameters(kernels::BlockParameters{c}));
          return list;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const ProductProblem product = product_problem(p);
          Emitted e = emit_kernel("gemm_batched",
                                  kernels::GemmBatchedParameters{
                                      .vector_a = product.vector_a,
                                      .vector_b = product.vector_b,
                                      .transpose_b = product.transpose_b,
                                      .blocks = read_parameters<kernels::BlockParameters>(config),
                                      .epilogue = product.epilogue.parameters,
                                  },
                                  {0, 1});
          emit_epilogue_inputs(product.epilogue, e);
          return e;
        },
};

}  // namespace kiln::cpu::tactics
