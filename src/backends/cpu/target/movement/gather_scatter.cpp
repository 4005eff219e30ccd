// Tactic: GatherElements, GatherND, ScatterElements, ScatterND.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cpu::tactics {
namespace {

bool scatters(const Problem& p) { return p.op() == "ScatterElements" || p.op() == "ScatterND"; }

}  // namespace

const Tactic gather_scatter{
    .name = "gather_scatter",
    .version = 1,
    .ops = {"GatherElements", "GatherND", "ScatterElements", "ScatterND"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      if (scatters(p) && p.attributes().text("reduction", "none") != "none" && type != DType::kF32 &&
          type != DType::kI32 && type != DType::kI64)
        return refuse("it combines float32, int32 and int64, not " + std::string(name(type)));
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const std::vector<int> inputs = all_inputs(p);
          if (p.op() == "GatherND") return emit_kernel("gather_nd", gather_nd_parameters(p), inputs);
          if (p.op() == "GatherElements") return emit_kernel("gather_elements", axis_parameters(p, 0), inputs);
          if (p.op() == "ScatterND") return emit_kernel("scatter_nd", scatter_nd_parameters(p), inputs);
          return emit_kernel("scatter_elements", scatter_elements_parameters(p), inputs);
        },
};

}  // namespace kiln::cpu::tactics
