// Tactic: convolutions of each channel alone, or of few together.
#include "backends/cuda/device/kernels/depthwise.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/conv_problem.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {

const Tactic conv_depthwise{
    .name = "conv_depthwise",
    .version = 1,
    .ops = {"Conv"},
    .accepts = [](const Problem& p) -> Refusal {
      TiledProblem t;
      if (const Refusal r = read_constant_conv(p, t); r.refused()) return r;
      const kernels::WeightView& w = t.weights;
      constexpr int64_t kMostChannels = 8;  // of a group
      if (w.groups == 1 || w.channels * w.columns > kMostChannels * kMostChannels)
        return refuse("there are " + std::to_string(w.groups) + " groups of " + std::to_string(w.channels) +
                      " inputs and " + std::to_string(w.columns) + " outputs, needs many of few");
      return accept();
    },
    .configurations =
        [](const Problem& p) {
          TiledProblem t;
          (void)read_constant_conv(p, t);
          if (t.weights.channels * t.weights.columns > 1) return std::vector<Config>{{{"tile", int64_t{0}}}};
          std::vector<Config> configs;
          for (int64_t tile = std::max<int64_t>(kernels::depthwise_tiles(t.window), 1); tile-- > 0;)
            configs.push_back({{"tile", tile}});
          return configs;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          TiledProblem t;
          (void)read_constant_conv(p, t);
          Emitted e = emit_kernel("conv_depthwise", config, {0});
          put_window(e.parameters, t.window);
          e.parameters.set("groups", t.weights.groups);
          e.inputs.push_back(add_constant(e, kernels::pack_depthwise_weights(t.weights, t.type)));
          emit_epilogue(t.epilogue, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
