// Tactic: convolution of each channel alone, sums in registers.
#include "backends/cpu/device/compute/conv_depthwise.h"
#include "backends/cpu/target/conv/conv_problem.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic conv_depthwise{
    .name = "conv_depthwise",
    .version = 1,
    .ops = {"Conv"},
    .accepts = [](const Problem& p) -> Refusal {
      ConvProblem conv;
      const Refusal r = read_constant_conv(p, conv);
      if (r.refused()) return r;
      if (const Refusal depthwise = accept_depthwise(conv.shape); depthwise.refused()) return depthwise;
      return accept_channels_last(p.input(0), "x");
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const ConvProblem conv = conv_problem(p);
          const ConvShape& s = conv.shape;
          Tensor packed = packed_floats(s.in_c * s.kernel_h * s.kernel_w, [&](float* to) {
            pack_depthwise_weights(conv.weights, s.in_c, s.kernel_h, s.kernel_w, to);
          });
          return emit_conv(conv, "conv_depthwise", std::move(packed), parameters_of(conv));
        },
};

}  // namespace kiln::cpu::tactics
