// Tactic: Resize whose scales, or sizes, and region are known.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/region_parameters.h"

namespace kiln::cpu::tactics {

const Tactic resize{
    .name = "resize",
    .version = 1,
    .ops = {"Resize"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const bool moves = p.attributes().text("mode", "nearest") == "nearest" &&
                         p.attributes().text("coordinate_transformation_mode", "") != "tf_crop_and_resize";
      if (!moves && p.input(0).dtype != DType::kF32)
        return refuse("it computes in float32, not " + std::string(name(p.input(0).dtype)));
      ResizeParameters ignored;
      return read_resize(p, ignored);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ResizeParameters to;
          (void)read_resize(p, to);
          return emit_kernel("resize", to, {0});
        },
};

}  // namespace kiln::cpu::tactics
