// Tactic: convolutions of each channel alone, with the factors that squeeze-and-excite makes of their results.
#include "backends/cuda/device/kernels/depthwise.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/depthwise_problem.h"
#include "backends/cuda/target/squeeze_problem.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"

namespace kiln::cuda::tactics {
namespace {

constexpr int kFirstSqueezeInput = 3;

// What follows the convolution, as the operator's attribute says it.
std::optional<Activation> activation_between(const Problem& p) {
  const std::string name = p.attributes().text("activation", "");
  return name.empty() ? std::optional(Activation::kNone) : plain_activation(name);
}

}  // namespace

const Tactic conv_excite{
    .name = "conv_excite",
    .version = 1,
    .ops = {"ConvExcite"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      TiledProblem t;
      if (Refusal r = read_boxes(p, t); r.refused()) return r;
      if (!activation_between(p))
        return refuse("the kernels have no activation " + p.attributes().text("activation", ""));
      return accept_squeeze(p, kFirstSqueezeInput, p.outputs[0]);
    },
    .configurations = boxes_configurations,
    .emit =
        [](const Problem& p, const Config& config) {
          TiledProblem t;
          (void)read_boxes(p, t);
          t.epilogue.parameters.activation = *activation_between(p);
          const kernels::DepthwiseBoxesParameters boxes{
              {parameters_of(t), read_parameters<kernels::BoxesChoice>(config)}};
          Emitted e = emit_tiled(t, "conv_excite", kernels::pack_depthwise_weights(t.weights, t.type),
                                 kernels::ConvExciteParameters{boxes, squeeze_products(p, kFirstSqueezeInput)});
          emit_squeeze_inputs(p, kFirstSqueezeInput, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
