// Tactic: box suppression.
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
          std::vector<int> inputs = all_inputs(p);
          inputs.resize(4, Emitted::kAbsent);
          return emit_kernel(
              "suppress_boxes",
              {{"most", p.attributes().integer("most")}, {"center", p.attributes().integer("center_point_box", 0)}},
              std::move(inputs));
        },
};

}  // namespace kiln::cuda::tactics
