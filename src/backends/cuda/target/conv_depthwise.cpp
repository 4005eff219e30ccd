// Tactics: convolutions of each channel alone, or of few together.
#include "backends/cuda/device/kernels/depthwise.h"

#include "backends/cuda/device/cu/conv_depthwise.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/depthwise_problem.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda {
namespace {

TiledProblem depthwise_problem(const Problem& p) {
  TiledProblem t;
  (void)read_constant_conv(p, t);
  return t;
}

// The slices of a block's channels that leave the fewest threads without any, and no others.
std::vector<int64_t> pairs_of_slices(int64_t channels) {
  const auto threads = [&](int64_t pairs) { return ceil_div(channels, 2 * pairs) * pairs; };
  if (threads(16) < threads(32)) return {16, 32};
  return {32};
}

}  // namespace

Refusal read_boxes(const Problem& p, TiledProblem& t) {
  if (!target_chip().has_boxes()) return refuse("compute capability is " + compute_text(target_chip()) + ", needs 9.0");
  if (const Refusal r = read_constant_conv(p, t); r.refused()) return r;
  const kernels::WeightView& w = t.weights;
  constexpr int64_t kLanes = 8;
  if (w.bytes != 2) return refuse("elements of type " + std::string(name(t.type)) + ", needs float16 or bfloat16");
  if (w.channels * w.columns != 1)
    return refuse("a group has " + std::to_string(w.channels) + " inputs and " + std::to_string(w.columns) +
                  " outputs, needs one");
  if (w.groups % kLanes != 0) return refuse(std::to_string(w.groups) + " channels are no whole words of 16 bytes");
  for (const Argument* a : {&p.input(0), &p.outputs[0]})
    if (!is_channels_last(*a)) return refuse("an image has layout " + to_string(a->layout) + ", needs channels last");
  if (!kernels::has_depthwise_boxes(t.window))
    return refuse("the window is not 3x3 or 5x5 with one stride of 1 or 2 and without dilation");
  return accept();
}

std::vector<Config> boxes_configurations(const Problem& p) {
  std::vector<Config> configs;
  for (int64_t pairs : pairs_of_slices(p.input(0).opt[1]))
    for (int64_t patch = 0; patch < (pairs == 32 ? kDepthwisePatchCount : 1); ++patch)
      configs.push_back(to_parameters(kernels::BoxesChoice{patch, pairs}));
  return configs;
}

namespace tactics {

const Tactic depthwise_boxes{
    .name = "depthwise_boxes",
    .version = 1,
    .ops = {"Conv"},
    .accepts = [](const Problem& p) -> Refusal {
      TiledProblem t;
      return read_boxes(p, t);
    },
    .configurations = boxes_configurations,
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = depthwise_problem(p);
          const auto choice = read_parameters<kernels::BoxesChoice>(config);
          return emit_tiled_rows(t, "depthwise_boxes", kernels::pack_depthwise_weights(t.weights, t.type),
                                 kernels::DepthwiseBoxesParameters{{parameters_of(t), choice}}, kernels::kPiece);
        },
};

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
          const TiledProblem t = depthwise_problem(p);
          const int64_t tiles =
              t.weights.channels * t.weights.columns > 1 ? 1 : std::max<int64_t>(kernels::depthwise_tiles(t.window), 1);
          std::vector<Config> configs;
          for (int64_t tile = tiles; tile-- > 0;) configs.push_back(to_parameters(kernels::DepthwiseChoice{tile}));
          return configs;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = depthwise_problem(p);
          const auto choice = read_parameters<kernels::DepthwiseChoice>(config);
          const ConvParameters conv{{t.window, t.weights.groups}, t.epilogue.parameters};
          return emit_tiled_rows(t, "conv_depthwise", kernels::pack_depthwise_weights(t.weights, t.type),
                                 kernels::ConvDepthwiseParameters{conv, choice});
        },
};

}  // namespace tactics
}  // namespace kiln::cuda
