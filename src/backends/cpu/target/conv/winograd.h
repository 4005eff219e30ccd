// What the tactics of minimal filtering share.
#pragma once
#include "backends/cpu/device/compute/conv_nhwc.h"
#include "target/workload.h"

namespace kiln::cpu {
inline constexpr int kWidestTile = 4;  // outputs in each direction; or 2
Refusal accept_winograd(const Problem& problem);
// A convolution of this shape that a tactic takes otherwise.
Refusal accept_minimal(const Problem& problem, const ConvShape& shape);
Workload minimal_work(const Problem& problem, int tile);
// Fewer multiplications than the sum has, by weights that are larger.
Estimate estimate_winograd(const Problem& problem, const DeviceFacts& facts, int tile);
std::vector<Config> winograd_configurations(const Problem& problem, int tile);
Emitted emit_winograd(const Problem& problem, const Config& config);
}  // namespace kiln::cpu
