// Tactic: squeeze-and-excite of images with channels last.
#include <algorithm>

#include "backends/cuda/device/kernels/packing.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/squeeze_problem.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"

namespace kiln::cuda::tactics {
const Tactic squeeze_excite{
    .name = "squeeze_excite",
    .version = 3,
    .ops = {"SqueezeExcite"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      const Argument& x = p.input(0);
      for (const Argument* a : {&x, &p.outputs[0]})
        if (!is_channels_last(*a))
          return refuse("an image has layout " + to_string(a->layout) + ", needs channels last");
      return accept_squeeze(p, 1, x);
    },
    .configurations =
        [](const Problem& p) {
          std::vector<int64_t> blocks{1, 2, 4, 8};
          std::erase_if(blocks, [](int64_t n) { return n > int64_t{target_cluster()}; });
          // As few for an image as occupy the chip come first.
          const int64_t images = p.input(0).opt[0];
          std::stable_sort(blocks.begin(), blocks.end(), [&](int64_t a, int64_t b) {
            const auto enough = [&](int64_t n) { return images * n >= target_chip().multiprocessors; };
            return enough(a) != enough(b) ? enough(a) : (enough(a) ? a < b : a > b);
          });
          const std::vector<int64_t> kept =
              target_chip().has_cp_async() ? std::vector<int64_t>{1, 2, 0} : std::vector<int64_t>{1, 0};
          const int64_t words = p.input(0).opt[1] * bits(p.input(0).dtype) / 8 / kernels::kPiece;
          std::vector<Config> configs;
          for (int64_t threads : {kSqueezeThreads[1], kSqueezeThreads[0]})
            for (int64_t keep : kept)
              for (int64_t n : blocks)
                if (words <= threads) configs.push_back(to_parameters(kernels::SqueezeChoice{n, keep, threads}));
          return configs;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          Emitted e = emit_kernel(
              "squeeze_excite",
              kernels::SqueezeExciteParameters{squeeze_products(p, 1), read_parameters<kernels::SqueezeChoice>(config)},
              {0});
          emit_squeeze_inputs(p, 1, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
