// Tactics: GridSample, RoiAlign, LRN.
#include "backends/cuda/device/cu/regions.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {

const Tactic grid_sample{
    .name = "grid_sample",
    .version = 1,
    .ops = {"GridSample"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      if (rank(p.input(0)) > 2 + kGridAxes)
        return refuse("there are " + std::to_string(rank(p.input(0)) - 2) + " dimensions, more than " +
                      std::to_string(kGridAxes));
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("grid_sample",
                             {{"mode", p.attributes().text("mode", "linear")},
                              {"padding", p.attributes().text("padding_mode", "zeros")},
                              {"corners", p.attributes().integer("align_corners", 0)}},
                             {0, 1});
        },
};

const Tactic roi_align{
    .name = "roi_align",
    .version = 1,
    .ops = {"RoiAlign"},
    .accepts = needs_one_float,
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

const Tactic lrn{
    .name = "lrn",
    .version = 1,
    .ops = {"LRN"},
    .accepts = needs_one_float,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("lrn",
                             {{"alpha", p.attributes().real("alpha", 1e-4)},
                              {"beta", p.attributes().real("beta", 0.75)},
                              {"bias", p.attributes().real("bias", 1.0)},
                              {"size", p.attributes().integer("size")}},
                             {0});
        },
};

}  // namespace kiln::cuda::tactics
