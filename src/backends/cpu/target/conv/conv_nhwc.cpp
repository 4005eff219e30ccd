// Tactics: convolution as a product of tiles whose rows are read where they lie, by weights of float32 or kept in 16 bits.
#include "backends/cpu/target/conv/conv_problem.h"
#include "backends/cpu/target/quantize/kept_weights.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

Refusal accepts_nhwc(const Problem& p) {
  ConvProblem conv;
  const Refusal r = read_conv(p, conv);
  if (r.refused()) return r;
  if (conv.shape.in_c > kMostTurnedChannels) return accept_channels_last(p.input(0), "x");
  return accept();
}

std::vector<Config> nhwc_configurations(const Problem& p) {
  std::vector<Config> list;
  for (const BlockConfig& c : conv_configs(conv_problem(p).shape, p.threads))
    list.push_back(to_parameters(kernels::BlockParameters{c}));
  return list;
}

Emitted emit_nhwc(const Problem& p, const Config& config, DType type) {
  const ConvProblem conv = conv_problem(p);
  const auto blocks = read_parameters<kernels::BlockParameters>(config);
  std::optional<Tensor> packed;
  if (conv.weights)
    packed = packed_floats(packed_conv_floats(conv.shape), [&](float* to) {
               pack_conv(conv.shape, conv.weights, blocks, to);
             }).cast(type);
  return emit_conv(conv, "conv_nhwc", std::move(packed),
                   kernels::ConvNhwcParameters{parameters_of(conv), blocks, !conv.weights});
}

}  // namespace

const Tactic conv_narrow{
    .name = "conv_narrow",
    .version = 1,
    .ops = {"Conv"},
    .accepts = [](const Problem& p) -> Refusal {
      if (const Refusal r = keeps_narrow_weights(p); r.refused()) return r;
      ConvProblem conv;
      if (const Refusal r = read_constant_conv(p, conv); r.refused()) return r;
      return accepts_nhwc(p);
    },
    .configurations = nhwc_configurations,
    .emit =
        [](const Problem& p, const Config& config) {
          Emitted e = emit_nhwc(p, config, p.node->keeps);
          e.computes = p.node->keeps;
          return e;
        },
};

const Tactic conv_nhwc{
    .name = "conv_nhwc",
    .version = 1,
    .ops = {"Conv"},
    .accepts = accepts_nhwc,
    .configurations = nhwc_configurations,
    .emit = [](const Problem& p, const Config& config) { return emit_nhwc(p, config, DType::kF32); },
};

}  // namespace kiln::cpu::tactics
