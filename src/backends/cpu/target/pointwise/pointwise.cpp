// Tactic: pointwise operators and chains of them as one program over tiles that stay in the first-level cache.
#include "backends/cpu/target/tactics.h"
#include "device/pointwise_parameters.h"
#include "target/fused_program.h"

namespace kiln::cpu::tactics {

const Tactic pointwise{
    .name = "pointwise",
    .version = 1,
    .accepts = [](const Problem& p) -> Refusal {
      std::vector<int> used;
      if (!fused_program(p, used)) return refuse(p.op() + " is not a chain of pointwise operators on plain numbers");
      for (const Argument& a : p.inputs)
        if (a.present && !a.layout.is_plain())
          return refuse("an operand has the blocked layout " + to_string(a.layout));
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e{.device = "cpu", .kernel = "pointwise", .parameters = {}, .inputs = {}, .constants = {}};
          const auto program = fused_program(p, e.inputs);
          e.strided_output = true;
          put_parameters(e.parameters, PointwiseParameters{*program});
          return e;
        },
};

}  // namespace kiln::cpu::tactics
