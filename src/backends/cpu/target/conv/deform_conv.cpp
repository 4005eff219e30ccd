// Tactic: convolution with moved taps.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/deform_conv_parameters.h"

namespace kiln::cpu::tactics {

const Tactic deform_conv{
    .name = "deform_conv",
    .version = 1,
    .ops = {"DeformConv"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      if (p.input(0).dtype != DType::kF32) return refuse("it computes in float32");
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("deform_conv", deform_conv_parameters(p), all_inputs(p, 5)); },
};

}  // namespace kiln::cpu::tactics
