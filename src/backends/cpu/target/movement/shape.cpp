// Tactic: Shape and Size.
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic shape{
    .name = "shape",
    .version = 1,
    .ops = {"Shape", "Size"},
    .accepts = [](const Problem& p) -> Refusal {
      if (!p.post().empty()) return refuse("it has post-operations");
      if (!p.input(0).ranked) return refuse("the rank of an operand is not known");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          if (p.op() == "Size") return emit_kernel("size", {}, {0});
          const int64_t n = rank(p.input(0));
          const auto place = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
          return emit_kernel("shape",
                             kernels::ShapeParameters{.first = place(p.attributes().integer("start", 0)),
                                                      .last = place(p.attributes().integer("end", n))},
                             {0});
        },
};

}  // namespace kiln::cpu::tactics
