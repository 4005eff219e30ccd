// Tactic: convolution as a product of tiles whose rows are read where they lie.
#include "backends/cpu/target/conv/conv_problem.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

// Inputs of more channels are worth a copy of their own.
constexpr int64_t kMostCopiedChannels = 8;

}  // namespace

const Tactic conv_nhwc{
    .name = "conv_nhwc",
    .version = 1,
    .ops = {"Conv"},
    .accepts = [](const Problem& p) -> Refusal {
      ConvProblem conv;
      const Refusal r = read_conv(p, conv);
      if (r.refused()) return r;
      if (conv.shape.in_c > kMostCopiedChannels) return accept_channels_last(p.input(0), "x");
      return accept();
    },
    .configurations =
        [](const Problem& p) {
          std::vector<Config> list;
          for (const BlockConfig& c : conv_configs(conv_problem(p).shape, p.threads))
            list.push_back(to_parameters(kernels::BlockParameters{c}));
          return list;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const ConvProblem conv = conv_problem(p);
          const auto blocks = read_parameters<kernels::BlockParameters>(config);
          std::optional<Tensor> packed;
          if (conv.weights)
            packed = packed_floats(packed_conv_floats(conv.shape),
                                   [&](float* to) { pack_conv(conv.shape, conv.weights, blocks, to); });
          return emit_conv(conv, "conv_nhwc", std::move(packed),
                           kernels::ConvNhwcParameters{parameters_of(conv), blocks, !conv.weights});
        },
};

}  // namespace kiln::cpu::tactics
