// Tactic: convolutions with moved taps.
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "target/deform_conv_parameters.h"

namespace kiln::cuda::tactics {

const Tactic deform_conv{
    .name = "deform_conv",
    .version = 1,
    .ops = {"DeformConv"},
    .accepts = [](const Problem& p) -> Refusal {
      if (const Refusal r = needs_one_float(p); r.refused()) return r;
      const char* longer = deform_conv_parameters(p).longer_than(kernels::kMostDeformExtent);
      return longer ? refuse(std::string(longer) + " are beyond " + std::to_string(kernels::kMostDeformExtent))
                    : accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("deform_conv", deform_conv_parameters(p), all_inputs(p, 5)); },
};

}  // namespace kiln::cuda::tactics
