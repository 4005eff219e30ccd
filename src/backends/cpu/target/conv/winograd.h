// What the tactics of minimal filtering share.
#pragma once
#include "target/target.h"

namespace kiln::cpu {
// `tile`: 2 or 4 outputs in each direction.
Refusal accept_winograd(const Problem& problem);
// Fewer multiplications than the sum has, by weights that are larger.
Estimate estimate_winograd(const Problem& problem, const DeviceFacts& facts, int tile);
std::vector<Config> winograd_configurations(const Problem& problem, int tile);
Emitted emit_winograd(const Problem& problem, const Config& config);
}  // namespace kiln::cpu
