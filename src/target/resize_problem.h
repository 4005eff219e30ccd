// What a Resize asks of its kernel.
#pragma once
#include "target/target.h"

namespace kiln {

// The parameters of a Resize whose scales, or sizes, and region are known, of the axes that change: mode, nearest_mode, coordinates, cubic_a,
// antialias, exclude_outside, outside, axes, scales (none: the sizes' quotients), roi.
Refusal read_resize(const Problem& problem, Attributes& to);
// Known scales or a known region that no kernel computes with.
bool is_beyond_resize_kernels(const Problem& problem);

}  // namespace kiln
