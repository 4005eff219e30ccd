// Tactic: CumSum and CumProd along an axis that only running tells.
#include "backends/cuda/device/cu/cumulative_late.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cuda::tactics {
namespace {

constexpr TypeSet kSummedLate = kKernelReals | TypeSet{DType::kI32, DType::kI64};

}  // namespace

const Tactic cumulative_late{
    .name = "cumulative_late",
    .version = 1,
    .ops = {"CumSum", "CumProd"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (known_ints(p, 1)) return refuse("the axis is known");
      if (!kSummedLate.has(p.input(0).dtype)) return refuse("elements of type " + std::string(name(p.input(0).dtype)));
      return rank(p.input(0)) > kMaxAxes ? refuse("there are more than eight axes") : accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("cumulative_late", cumulative_parameters(p), {0, 1}); },
};

}  // namespace kiln::cuda::tactics
