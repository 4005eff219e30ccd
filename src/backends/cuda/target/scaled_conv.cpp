// Tactic: 1x1 convolutions of images times a factor for each channel of each image.
#include "backends/cuda/device/cu/scaled_conv.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/large_images.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"
#include "base/checked.h"

namespace kiln::cuda {
namespace {

constexpr int kFactors = 3;  // input of the problem

int column_runs(const TiledProblem& t) { return static_cast<int>(ceil_div(t.weights.columns, int64_t{kScaledRun})); }

int64_t bytes_of_scaled_weights(const TiledProblem& t) {
  const int64_t term_runs = ceil_div(t.weights.channels, int64_t{kScaledRun});
  return int64_t{column_runs(t)} * kScaledRun * (term_runs | 1) * kScaledRun * 2;
}

}  // namespace

Refusal read_scaled(const Problem& p, TiledProblem& t) {
  if (!target_chip().has_cp_async())
    return refuse("compute capability is " + compute_text(target_chip()) + ", needs 8.0");
  if (Refusal r = read_exact(p, t); r.refused()) return r;
  if (Refusal r = needs_no_program(t.program); r.refused()) return r;
  constexpr int64_t kLanes = 8;
  const kernels::WeightView& w = t.weights;
  if (w.bytes != 2) return refuse("elements of type " + std::string(name(t.type)) + ", needs float16 or bfloat16");
  if (w.groups != 1 || !keeps_pixels(p, t))
    return refuse("the convolution is not 1x1, dense, without strides, of an image with channels last");
  if (w.channels % kLanes != 0) return refuse(std::to_string(w.channels) + " channels are no whole words of 16 bytes");
  if (column_runs(t) > kScaledWords || bytes_of_scaled_weights(t) > target_chip().shared_per_block)
    return refuse("a block does not hold the weights of " + std::to_string(w.channels) + " channels for " +
                  std::to_string(w.columns));
  return accept();
}

namespace tactics {

const Tactic scaled_conv{
    .name = "scaled_conv",
    .version = 1,
    .ops = {"ScaledConv"},
    .accepts = [](const Problem& p) -> Refusal {
      TiledProblem t;
      return read_scaled(p, t);
    },
    .configurations =
        [](const Problem& p) {
          const int runs = column_runs(tiled_problem(p));
          std::vector<Config> configs;
          for (int squares : {kScaledSquares[1], kScaledSquares[2], kScaledSquares[0]})
            if (has_scaled_tile(squares, runs)) configs.push_back(to_parameters(kernels::ScaledChoice{squares}));
          return configs;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = tiled_problem(p);
          const auto choice = read_parameters<kernels::ScaledChoice>(config);
          Emitted e = emit_tiled(t, "scaled_conv", kernels::pack_mma_weights(t.weights, t.type),
                                 kernels::ScaledConvParameters{{parameters_of(t), choice}});
          e.inputs.push_back(kFactors);
          return e;
        },
};

}  // namespace tactics
}  // namespace kiln::cuda
