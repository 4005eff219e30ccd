// Tactic: NonZero and Compress.
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic nonzero_compress{
    .name = "nonzero_compress",
    .version = 1,
    .ops = {"NonZero", "Compress"},
    .sizes_results = true,
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (p.op() == "NonZero" && !(kNumericTypes | kBoolType).has(p.input(0).dtype))
        return refuse("elements of type " + std::string(name(p.input(0).dtype)));
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          if (p.op() == "NonZero") return emit_kernel("non_zero", {}, {0});
          const int64_t axis = p.attributes().has("axis") ? axis_of(p, "axis", 0, rank(p.input(0))) : -1;
          return emit_kernel("compress", kernels::CompressParameters{axis}, {0, 1});
        },
};

}  // namespace kiln::cpu::tactics
