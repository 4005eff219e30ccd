// The window attributes of operators over any number of spatial dimensions.
#pragma once
#include "device/spatial_window.h"
#include "target/target.h"

namespace kiln {

// `kernel` holds the spatial sizes of the kernel.
SpatialWindow spatial_window_of(const Problem& problem, const Ints& kernel);
// The windows of a pooling do not have so many elements in common that folding them axis by axis is much less work.
Refusal needs_short_windows(const Problem& pooling);

}  // namespace kiln
