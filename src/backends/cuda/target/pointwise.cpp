// Tactic: pointwise operators and chains of them as one program that the GPU interprets.
#include <algorithm>

#include "backends/cuda/device/kernels/pointwise_code.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "device/pointwise_parameters.h"
#include "target/fused_program.h"

namespace kiln::cuda::tactics {

const Tactic pointwise{
    .name = "pointwise",
    .version = 2,
    .accepts = [](const Problem& p) -> Refusal {
      std::vector<int> used;
      const auto program = fused_program(p, used);
      if (!program) return refuse(p.op() + " is not a chain of pointwise operators on plain numbers");
      for (const auto* list : {&p.inputs, &p.outputs})
        for (const Argument& a : *list) {
          if (!a.present) continue;
          if (!a.layout.is_plain()) return refuse("an operand has the blocked layout " + to_string(a.layout));
          if (!kernels::is_pointwise_type(a.dtype)) return refuse("elements of type " + std::string(name(a.dtype)));
          if (bits(a.dtype) % 8 != 0 && !a.layout.is_row_major())
            return refuse("elements of type " + std::string(name(a.dtype)) + " in the layout " + to_string(a.layout));
        }
      std::string reason;
      if (!kernels::pointwise_code(*program, reason)) return refuse(reason);
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          std::vector<int> inputs;
          const auto program = fused_program(p, inputs);
          Emitted e = emit_kernel("pointwise", PointwiseParameters{*program}, std::move(inputs));
          const auto whole = [](const Argument& a) { return !a.present || bits(a.dtype) % 8 == 0; };
          e.strided_output = whole(p.outputs[0]);
          if (std::all_of(p.inputs.begin(), p.inputs.end(), whole)) e.strided_inputs = ~0u;
          return e;
        },
};

}  // namespace kiln::cuda::tactics
