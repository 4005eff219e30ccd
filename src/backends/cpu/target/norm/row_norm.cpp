// Tactic: LayerNormalization and RMSNormalization over rows.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic row_norm{
    .name = "row_norm",
    .version = 1,
    .accepts = [](const Problem& p) -> Refusal {
      if (p.op() != "LayerNormalization" && p.op() != "RMSNormalization")
        return refuse(p.op() + " does not normalise rows");
      if (Refusal r = needs_f32(p); r.refused()) return r;
      const Dims& x = p.input(0).opt;
      const auto axis = static_cast<size_t>(axis_of(p, "axis", -1, rank(p.input(0))));
      for (int i : {1, 2}) {
        const Argument& a = p.input(i);
        if (!a.present) continue;
        if (!a.is_static) return refuse("scale or bias has dimensions that are not known");
        if (element_count(a.opt) != element_count(Dims(x.begin() + static_cast<ptrdiff_t>(axis), x.end())))
          return refuse("scale or bias " + to_string(a.opt) + " is not a row of " + to_string(x));
        for (size_t k = 0; k < a.opt.size(); ++k)
          if (a.opt[a.opt.size() - 1 - k] != (k < x.size() - axis ? x[x.size() - 1 - k] : 1))
            return refuse("scale or bias " + to_string(a.opt) + " is not a row of " + to_string(x));
        for (size_t k = axis; k < x.size(); ++k)
          if (x[k] == 1 && !p.input(0).is_fixed(k)) return refuse("scale or bias may repeat along a row that varies");
      }
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Attributes to{{"axis", axis_of(p, "axis", -1, rank(p.input(0)))},
                        {"epsilon", p.attributes().real("epsilon", 1e-5)},
                        {"subtract_mean", int64_t{p.op() == "LayerNormalization"}}};
          return emit_kernel("row_norm", std::move(to), all_inputs(p));
        },
};

}  // namespace kiln::cpu::tactics
