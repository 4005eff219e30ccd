// Tactic: convolutions of few channels, such as those of pictures.
#include "backends/cuda/device/cu/conv_few.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/conv_problem.h"
#include "backends/cuda/target/first_layers.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda {
namespace {

bool fits(const SlidingWindow& window, int bytes, int64_t columns, int64_t lines) {
  return kernels::few_shape(window, bytes, columns, lines).shared <= target_chip().shared_per_block;
}

}  // namespace

Refusal accept_few_window(const SlidingWindow& window, int bytes) {
  if (!target_chip().has_cp_async()) return refuse("compute capability is below 8.0");
  constexpr int64_t kLargest = 1 << 12;  // of which patches are counted
  for (int axis : {0, 1})
    for (int64_t n : {window.kernel[axis], window.stride[axis], window.dilation[axis]})
      if (n > kLargest) return refuse("a window has an extent, stride or dilation of " + std::to_string(n));
  if (!fits(window, bytes, kFewColumns[0], kFewLines[0]))
    return refuse("the pixels under a tile do not fit a block's memory");
  return accept();
}

namespace tactics {

const Tactic conv_few{
    .name = "conv_few",
    .version = 2,
    .ops = {"CastConv", "Conv"},
    .turns_layouts = true,
    .accepts = [](const Problem& p) -> Refusal {
      TiledProblem t;
      if (const Refusal r = read_tiled(p, t); r.refused()) return r;
      if (t.weights.groups > 1) return refuse("there are " + std::to_string(t.weights.groups) + " groups, needs one");
      if (t.weights.channels > kFewChannels)
        return refuse("x has " + std::to_string(t.weights.channels) + " channels, more than " +
                      std::to_string(kFewChannels));
      return accept_few_window(t.window, t.weights.bytes);
    },
    .configurations =
        [](const Problem& p) {
          const TiledProblem t = tiled_problem(p);
          std::vector<Config> configs;
          for (int64_t columns : {kFewColumns[1], kFewColumns[0]})
            for (int64_t lines : kFewLines)
              if (fits(t.window, t.weights.bytes, columns, lines) &&
                  (t.weights.columns > kFewColumns[0] || columns == kFewColumns[0]))
                configs.push_back(to_parameters(kernels::FewChoice{columns, lines}));
          return configs;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = tiled_problem(p);
          const auto choice = read_parameters<kernels::FewChoice>(config);
          return emit_tiled(t, "conv_few", kernels::pack_few_weights(t.weights, t.type, choice.columns),
                            kernels::ConvFewParameters{parameters_of(t), choice});
        },
};

}  // namespace tactics
}  // namespace kiln::cuda
