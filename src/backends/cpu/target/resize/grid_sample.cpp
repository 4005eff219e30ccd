// Tactic: GridSample over one to three dimensions.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/region_parameters.h"

namespace kiln::cpu::tactics {

const Tactic grid_sample{
    .name = "grid_sample",
    .version = 1,
    .ops = {"GridSample"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      // The first may be of any type beside a grid of float32.
      if (p.input(0).dtype != DType::kF32) return refuse("elements of type " + std::string(name(p.input(0).dtype)));
      if (rank(p.input(0)) > 5) return refuse("there are more than three dimensions");
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("grid_sample", grid_sample_parameters(p), {0, 1}); },
};

}  // namespace kiln::cpu::tactics
