// Tactic: box suppression.
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {

const Tactic suppress_boxes{
    .name = "suppress_boxes",
    .version = 1,
    .ops = {"SuppressBoxes"},
    .accepts = [](const Problem& p) -> Refusal { return needs_plain(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel(
              "suppress_boxes",
              kernels::SuppressBoxesParameters{.most = p.attributes().integer("most"),
                                               .center = p.attributes().integer("center_point_box", 0) != 0},
              all_inputs(p, 4));
        },
};

}  // namespace kiln::cuda::tactics
