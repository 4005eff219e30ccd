// Tactic: TopK.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cpu::tactics {
namespace {

constexpr TypeSet kOrdered{DType::kF32, DType::kF64, DType::kI8, DType::kU8, DType::kI32, DType::kI64, DType::kU64};

}  // namespace

const Tactic top_k{
    .name = "top_k",
    .version = 1,
    .ops = {"TopK"},
    .sizes_results = true,
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (!kOrdered.has(p.input(0).dtype)) return refuse("elements of type " + std::string(name(p.input(0).dtype)));
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("top_k", top_k_parameters(p), {0, 1}); },
};

}  // namespace kiln::cpu::tactics
