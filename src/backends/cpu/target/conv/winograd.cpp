// What the tactics of minimal filtering share.
#include "backends/cpu/target/conv/winograd.h"

#include "backends/cpu/device/compute/winograd.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/target/conv/conv_problem.h"
#include "target/estimate.h"

namespace kiln::cpu {
namespace {

// Below this the transforms cost more than they save.
constexpr int64_t kLeastChannels = 8;

std::string pair(int64_t a, int64_t b) { return std::to_string(a) + "x" + std::to_string(b); }

}  // namespace

Refusal accept_winograd(const Problem& p) {
  ConvProblem conv;
  const Refusal r = read_constant_conv(p, conv);
  if (r.refused()) return r;
  return accept_minimal(p, conv.shape);
}

Refusal accept_minimal(const Problem& p, const ConvShape& s) {
  if (s.kernel_h != 3 || s.kernel_w != 3)
    return refuse("the kernel is " + pair(s.kernel_h, s.kernel_w) + ", needs 3x3");
  if (s.stride_h != 1 || s.stride_w != 1)
    return refuse("the stride is " + pair(s.stride_h, s.stride_w) + ", needs 1x1");
  if (s.dilation_h != 1 || s.dilation_w != 1)
    return refuse("the dilation is " + pair(s.dilation_h, s.dilation_w) + ", needs 1x1");
  if (s.groups != 1) return refuse("there are " + std::to_string(s.groups) + " groups, needs one");
  if (s.in_c < kLeastChannels || !winograd_accepts(s))
    return refuse("there are " + std::to_string(s.in_c) + " input channels");
  return accept_channels_last(p.input(0), "x", p.input(0).dtype);
}

Workload minimal_work(const Problem& p, int tile) {
  constexpr double kTaps = 9;
  const double outputs = tile * tile, points = (tile + 2) * (tile + 2);
  Workload work = workload_of(p);
  work.flops *= points / (kTaps * outputs);
  const Tensor& weights = *p.input(1).constant;
  work.bytes +=
      points / kTaps * static_cast<double>(weights.size()) * sizeof(float) - static_cast<double>(weights.bytes());
  return work;
}

Estimate estimate_winograd(const Problem& p, const DeviceFacts& facts, int tile) {
  return roofline(minimal_work(p, tile), DType::kF32, facts);
}

std::vector<Config> winograd_configurations(const Problem& p, int tile) {
  std::vector<Config> list;
  for (const WinogradConfig& c : winograd_configs(conv_problem(p).shape, p.threads)) {
    if (c.tile == tile) list.push_back(to_parameters(kernels::WinogradParameters{c.tile, {c.block}}));
  }
  return list;
}

Emitted emit_winograd(const Problem& p, const Config& config) {
  const ConvProblem conv = conv_problem(p);
  const auto winograd = read_parameters<kernels::WinogradParameters>(config);
  const WinogradConfig c = winograd.config();
  Tensor packed = packed_floats(packed_winograd_floats(conv.shape, c),
                                [&](float* to) { pack_winograd(conv.shape, conv.weights, c, to, p.threads); });
  return emit_conv(conv, "conv_winograd", std::move(packed),
                   kernels::ConvWinogradParameters{parameters_of(conv), winograd});
}

}  // namespace kiln::cpu
