// Tactic: poolings of float32 over any number of dimensions, with positions, and norms.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/pool_parameters.h"

namespace kiln::cpu::tactics {

const Tactic pool_any{
    .name = "pool_any",
    .version = 1,
    .ops = {"MaxPool", "AveragePool", "LpPool"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      if (p.input(0).dtype != DType::kF32)
        return refuse("it compares float32, not " + std::string(name(p.input(0).dtype)));
      if (rank(p.input(0)) > 10) return refuse("there are more than eight spatial dimensions");
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("pool_any", pool_any_parameters(p), {0}); },
};

}  // namespace kiln::cpu::tactics
