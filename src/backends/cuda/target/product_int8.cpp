// Tactic: products of two matrices of bytes that only running tells, and what follows them.
#include "backends/cuda/device/kernels/sum_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/tactics.h"
#include "base/error.h"
#include "target/sum_steps.h"

namespace kiln::cuda::tactics {
namespace {

Refusal read_product_int8(const Problem& p, ByteProblem& bytes) {
  if (!target_chip().has_cp_async())
    return refuse("compute capability is " + compute_text(target_chip()) + ", needs 8.0");
  if (const Refusal r = read_byte_pair(p, bytes); r.refused()) return r;
  const size_t steps = bytes.parameters.steps.size();
  if (steps > kMostSumSteps)
    return refuse(std::to_string(steps) + " steps follow the sums, needs at most " + std::to_string(kMostSumSteps));
  return accept();
}

}  // namespace

const Tactic product_int8{
    .name = "product_int8",
    .version = 1,
    .ops = {"MatMulInteger"},
    .accepts =
        [](const Problem& p) {
          ByteProblem bytes{SumForm()};
          return read_product_int8(p, bytes);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ByteProblem bytes{SumForm()};
          if (const Refusal r = read_product_int8(p, bytes); r.refused())
            throw Error(Code::kInternal, "a product of bytes was not accepted").cause(r.reason);
          Emitted e =
              emit_kernel("product_int8", kernels::ByteSums{bytes.x_zero, stored_sums(bytes.parameters)}, {0, 1});
          emit_sums(bytes, std::vector<int32_t>(bytes.bias.size(), 0), 0, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
