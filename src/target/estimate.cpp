// Rooflines.
#include "target/estimate.h"

#include <algorithm>

namespace kiln {
namespace {

constexpr double kUnitOperations = 64e9, kUnitBytes = 8e9;  // of one unit in a second
constexpr double kHostLaunch = 1e-6, kDeviceLaunch = 2e-6;  // seconds
constexpr double kShown = 0.25;                             // of the shorter of what overlaps
constexpr DType kRated[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kF64};

double units(const DeviceFacts& facts) { return facts.units > 0 ? facts.units : 1; }

double bytes_per_second(const DeviceFacts& facts) {
  return facts.bytes_per_second > 0 ? facts.bytes_per_second : units(facts) * kUnitBytes;
}

double scaled(double rate, DType from, DType to) { return bits(to) > 0 ? rate * bits(from) / bits(to) : rate; }

double operations_per_second(DType type, const DeviceFacts& facts) {
  const auto rate = [&](DType t) {
    const auto at = facts.operations_per_second.find(t);
    return at == facts.operations_per_second.end() ? 0 : at->second;
  };
  if (rate(type) > 0) return rate(type);
  for (const DType known : kRated)
    if (rate(known) > 0) return scaled(rate(known), known, type);
  return scaled(units(facts) * kUnitOperations, DType::kF32, type);
}

double launch_of(const DeviceFacts& facts) { return facts.host_memory ? kHostLaunch : kDeviceLaunch; }

}  // namespace

Estimate roofline(const Workload& work, DType type, const DeviceFacts& facts) {
  const double compute = work.flops / operations_per_second(type, facts), move = work.bytes / bytes_per_second(facts);
  return {compute, move, launch_of(facts) + kShown * std::min(compute, move)};
}

DType type_of_products(const Problem& problem) {
  return problem.node->precision != DType::kInvalid ? problem.node->precision : problem.input(0).dtype;
}

DType type_computed(const Problem& problem, const Emitted& emitted) {
  if (emitted.computes != DType::kInvalid) return emitted.computes;
  constexpr std::string_view kInNumbers[] = {"Dequantize", "GatherDequantized", "Quantize", "QuantizedAveragePool",
                                             "QuantizedResize"};
  const auto in_numbers = [&](std::string_view op) {
    return std::find(std::begin(kInNumbers), std::end(kInNumbers), op) != std::end(kInNumbers);
  };
  const bool product = problem.op() == "ConvInteger" || problem.op() == "MatMulInteger";
  const auto& post = problem.post();
  if (in_numbers(problem.op()) || (!product && std::any_of(post.begin(), post.end(), [&](const ir::PostOp& p) {
        return in_numbers(p.op->name());
      })))
    return DType::kF32;
  for (const auto* list : {&problem.inputs, &problem.outputs})
    for (const Argument& a : *list)
      if (a.present) return a.dtype;
  return DType::kInvalid;
}

Estimate estimate(const Tactic& tactic, const Problem& problem, const DeviceFacts& facts) {
  if (tactic.estimate) return tactic.estimate(problem, facts);
  return roofline(workload_of(problem), type_of_products(problem), facts);
}

Estimate estimate_move(double read, double written, const DeviceFacts& facts) {
  return {0, (read + written) / bytes_per_second(facts), launch_of(facts)};
}

}  // namespace kiln
