// Tactic: GatherElements, GatherND, ScatterElements, ScatterND.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

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
          Attributes to;
          if (p.op() == "GatherND") to.set("batch_axes", p.attributes().integer("batch_dims", 0));
          if (p.op() == "GatherElements" || p.op() == "ScatterElements")
            to.set("axis", axis_of(p, "axis", 0, rank(p.input(0))));
          if (scatters(p)) to.set("reduction", p.attributes().text("reduction", "none"));
          const std::string kernel = p.op() == "GatherND"         ? "gather_nd"
                                     : p.op() == "GatherElements" ? "gather_elements"
                                     : p.op() == "ScatterND"      ? "scatter_nd"
                                                                  : "scatter_elements";
          return emit_kernel(kernel, std::move(to), all_inputs(p));
        },
};

}  // namespace kiln::cpu::tactics
