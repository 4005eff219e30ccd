// Tactic: CumSum and CumProd.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cpu::tactics {
namespace {

constexpr TypeSet kSummed{DType::kF32, DType::kF64, DType::kI32, DType::kI64};

}  // namespace

const Tactic cumulative{
    .name = "cumulative",
    .version = 1,
    .ops = {"CumSum", "CumProd"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (!kSummed.has(p.input(0).dtype)) return refuse("elements of type " + std::string(name(p.input(0).dtype)));
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("cumulative", cumulative_parameters(p), {0, 1}); },
};

}  // namespace kiln::cpu::tactics
