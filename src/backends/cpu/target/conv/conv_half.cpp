// Tactics: convolutions of float16 or bfloat16, computed in float32: as a product of tiles, by minimal filtering, and of each channel alone.
#include "backends/cpu/device/compute/conv_depthwise.h"
#include "backends/cpu/target/conv/conv_problem.h"
#include "backends/cpu/target/conv/winograd.h"
#include "backends/cpu/target/half_problem.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

using kernels::HalfWay;

Refusal read_half(const Problem& p, ConvProblem& conv) {
  if (const Refusal r = computes_on_halves(p); r.refused()) return r;
  if (!p.input(1).constant) return refuse("the weights are not constant");
  return read_conv(p, conv, p.input(0).dtype);
}

ConvProblem half_problem(const Problem& p) { return conv_problem(p, p.input(0).dtype); }

Refusal accepts_half(const Problem& p) {
  ConvProblem conv;
  if (const Refusal r = read_half(p, conv); r.refused()) return r;
  return conv.shape.in_c > kMostTurnedChannels ? accept_channels_last(p.input(0), "x", p.input(0).dtype) : accept();
}

// `pack(float*, weights)` fills so many floats.
template <class Pack> Tensor packed_half(const Problem& p, int64_t count, const Pack& pack) {
  const Tensor weights = p.input(1).constant->cast(DType::kF32);
  return packed_floats(count, [&](float* to) { pack(weights.as<float>().data(), to); });
}

Emitted emit_half(const Problem& p, const ConvProblem& conv, Tensor packed, const kernels::BlockParameters& blocks,
                  HalfWay way) {
  Emitted e =
      emit_conv(conv, "conv_half", std::move(packed), kernels::ConvHalfParameters{parameters_of(conv), blocks, way});
  e.computes = p.input(0).dtype;
  return e;
}

}  // namespace

const Tactic conv_half{
    .name = "conv_half",
    .version = 1,
    .ops = {"Conv"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_half(p, workload_of(p), facts); },
    .accepts = accepts_half,
    .configurations =
        [](const Problem& p) {
          const ConvShape shape = half_problem(p).shape;
          return half_configurations(conv_configs(shape, p.threads), shape);
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const ConvProblem conv = half_problem(p);
          const auto blocks = read_parameters<HalfBlocks>(config);
          Tensor packed = packed_half(p, packed_conv_floats(conv.shape), [&](const float* weights, float* to) {
            pack_conv(conv.shape, weights, blocks.blocks, to);
          });
          return emit_half(p, conv, blocks.wide ? std::move(packed) : packed.cast(p.input(0).dtype), blocks.blocks,
                           HalfWay::kProduct);
        },
};

const Tactic winograd_half{
    .name = "winograd_half",
    .version = 1,
    .ops = {"Conv"},
    .estimate = [](const Problem& p,
                   const DeviceFacts& facts) { return estimate_half(p, minimal_work(p, kWidestTile), facts); },
    .accepts = [](const Problem& p) -> Refusal {
      ConvProblem conv;
      if (const Refusal r = read_half(p, conv); r.refused()) return r;
      return accept_minimal(p, conv.shape);
    },
    .configurations =
        [](const Problem& p) {
          std::vector<Config> list;
          for (const WinogradConfig& c : winograd_configs(half_problem(p).shape, p.threads))
            list.push_back(to_parameters(kernels::WinogradParameters{c.tile, {c.block}}));
          return list;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const ConvProblem conv = half_problem(p);
          const auto chosen = read_parameters<kernels::WinogradParameters>(config);
          const WinogradConfig c = chosen.config();
          Tensor packed = packed_half(p, packed_winograd_floats(conv.shape, c), [&](const float* weights, float* to) {
            pack_winograd(conv.shape, weights, c, to, p.threads);
          });
          return emit_half(p, conv, std::move(packed), chosen.blocks,
                           c.tile == 2 ? HalfWay::kMinimal2 : HalfWay::kMinimal4);
        },
};

const Tactic depthwise_half{
    .name = "depthwise_half",
    .version = 1,
    .ops = {"Conv"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_half(p, workload_of(p), facts); },
    .accepts = [](const Problem& p) -> Refusal {
      ConvProblem conv;
      if (const Refusal r = read_half(p, conv); r.refused()) return r;
      if (const Refusal r = accept_depthwise(conv.shape); r.refused()) return r;
      return accept_channels_last(p.input(0), "x", p.input(0).dtype);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const ConvProblem conv = half_problem(p);
          const ConvShape& s = conv.shape;
          Tensor packed = packed_half(p, s.in_c * s.kernel_h * s.kernel_w, [&](const float* weights, float* to) {
            pack_depthwise_weights(weights, s.in_c, s.kernel_h, s.kernel_w, to);
          });
          return emit_half(p, conv, std::move(packed), {}, HalfWay::kDepthwise);
        },
};

}  // namespace kiln::cpu::tactics
