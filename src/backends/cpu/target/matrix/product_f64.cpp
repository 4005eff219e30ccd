// Tactic: matrix products of float64.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic product_f64{
    .name = "product_f64",
    .version = 1,
    .ops = {"MatMul"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (p.input(0).dtype != DType::kF64)
        return refuse("it computes in float64, not " + std::string(name(p.input(0).dtype)));
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem&, const Config&) { return emit_kernel("product_f64", {}, {0, 1}); },
};

}  // namespace kiln::cpu::tactics
