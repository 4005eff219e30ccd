// Tactic: RoiAlign.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic roi_align{
    .name = "roi_align",
    .version = 1,
    .ops = {"RoiAlign"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Attributes& a = p.attributes();
          return emit_kernel(
              "roi_align",
              {{"shifted", int64_t{a.text("coordinate_transformation_mode", "half_pixel") == "half_pixel"}},
               {"maximum", int64_t{a.text("mode", "avg") == "max"}},
               {"ratio", a.integer("sampling_ratio", 0)},
               {"scale", a.real("spatial_scale", 1)}},
              {0, 1, 2});
        },
};

}  // namespace kiln::cpu::tactics
