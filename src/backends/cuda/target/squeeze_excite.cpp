// Tactic: squeeze-and-excite of images with channels last.
#include <algorithm>

#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/packing.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"
#include "target/epilogue.h"

namespace kiln::cuda::tactics {
namespace {

std::optional<Activation> kernel_activation(const std::string& name) {
  return name == "HardSigmoid" ? Activation::kHardSigmoid : plain_activation(name);
}

std::string squeeze_name(const Problem& p) { return p.attributes().text("squeeze_activation", "Relu"); }
std::string excite_name(const Problem& p) { return p.attributes().text("excite_activation", "Sigmoid"); }

// Rows of a dense matrix [columns, channels].
Tensor packed_rows(const Tensor& weights) {
  kernels::WeightView v;
  v.data = weights.data();
  v.bytes = bits(weights.dtype()) / 8;
  v.columns = weights.dims()[0];
  v.channels = v.column_stride = weights.dims()[1];
  v.channel_stride = 1;
  return kernels::pack_mma_weights(v, weights.dtype());
}

int add_bias_of(const Problem& p, int input, Emitted& e) {
  if (!p.input(input).present) return Emitted::kAbsent;
  const Tensor& bias = *p.input(input).constant;
  return add_constant(e, packed_floats(bias.size(), [&](float* to) {
                        for (int64_t i = 0; i < bias.size(); ++i) to[i] = static_cast<float>(bias.at(i));
                      }));
}

}  // namespace

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
      for (int i = 1; i < 5; ++i)
        if (p.input(i).present && !p.input(i).constant) return refuse("the weights are not constant");
      const int64_t lanes = kernels::kPiece / (bits(x.dtype) / 8);
      if (!x.is_fixed(1) || x.opt[1] % lanes != 0)
        return refuse(std::to_string(x.opt[1]) + " channels are no whole words of 16 bytes");
      const int64_t hidden = p.input(1).opt[0];
      constexpr int64_t kMost = 2048;
      if (x.opt[1] == 0 || x.opt[1] > kMost || hidden == 0 || hidden > kMost)
        return refuse("there are " + std::to_string(x.opt[1]) + " channels, and " + std::to_string(hidden) +
                      " between the products");
      for (const std::string& name : {squeeze_name(p), excite_name(p)})
        if (!kernel_activation(name)) return refuse("the kernels have no activation " + name);
      return accept();
    },
    .configurations =
        [](const Problem& p) {
          std::vector<int64_t> blocks{1};
          if (target_chip().has_clusters()) blocks = {1, 2, 4, 8};
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
          Emitted e =
              emit_kernel("squeeze_excite",
                          kernels::SqueezeExciteParameters{.hidden = p.input(1).opt[0],
                                                           .squeeze = *kernel_activation(squeeze_name(p)),
                                                           .excite = *kernel_activation(excite_name(p)),
                                                           .alpha = p.attributes().real("alpha", 0.2),
                                                           .beta = p.attributes().real("beta", 0.5),
                                                           .choice = read_parameters<kernels::SqueezeChoice>(config)},
                          {0});
          e.inputs.push_back(add_constant(e, packed_rows(*p.input(1).constant)));
          e.inputs.push_back(add_bias_of(p, 2, e));
          e.inputs.push_back(add_constant(e, packed_rows(*p.input(3).constant)));
          e.inputs.push_back(add_bias_of(p, 4, e));
          return e;
        },
};

}  // namespace kiln::cuda::tactics
