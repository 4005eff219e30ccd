// Tactics: GridSample, RoiAlign, LRN.
#include "backends/cuda/device/cu/regions.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "target/region_parameters.h"

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
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("grid_sample", grid_sample_parameters(p), {0, 1}); },
};

const Tactic roi_align{
    .name = "roi_align",
    .version = 1,
    .ops = {"RoiAlign"},
    .accepts = needs_one_float,
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("roi_align", roi_align_parameters(p), {0, 1, 2}); },
};

const Tactic lrn{
    .name = "lrn",
    .version = 1,
    .ops = {"LRN"},
    .accepts = needs_one_float,
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("lrn", lrn_parameters(p), {0}); },
};

}  // namespace kiln::cuda::tactics
