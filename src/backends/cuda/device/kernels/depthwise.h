// What the builder and the kernel of convolutions of each channel alone share: packed weights, and the windows that tiles are made for.
#pragma once
#include "backends/cuda/device/kernels/packing.h"
#include "device/parameters.h"

namespace kiln::cuda::kernels {

// [taps, channels rounded up to whole runs], of groups with one channel and one column each.
int64_t depthwise_padded(int64_t channels);
int64_t depthwise_weight_elements(int64_t channels, int64_t taps_h, int64_t taps_w);
Tensor pack_depthwise_weights(const WeightView& weights, DType type);

// How many of kDepthwiseTiles suit the window; 0: none, it may be anything.
int64_t depthwise_tiles(const SlidingWindow& window);

}  // namespace kiln::cuda::kernels
