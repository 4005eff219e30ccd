// Tactic: Concat and Split as copies of parts.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic concat_split{
    .name = "concat_split",
    .version = 1,
    .accepts = [](const Problem& p) -> Refusal {
      if (p.op() != "Concat" && p.op() != "Split") return refuse(p.op() + " neither joins nor cuts tensors");
      return needs_plain(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const bool join = p.op() == "Concat";
          return emit_kernel(join ? "concat" : "split", {{"axis", axis_of(p, "axis", 0, rank(p.input(0)))}},
                             join ? all_inputs(p) : std::vector<int>{0});
        },
};

}  // namespace kiln::cpu::tactics
