// What the builder and the kernel of convolutions of each channel alone, or of few together, share: packed weights, and the windows that tiles are made for.
#pragma once
#include "backends/cuda/device/kernels/packing.h"
#include "device/parameters.h"

namespace kiln::cuda::kernels {

// [taps, channels of a group, channels of the result rounded up to whole runs].
int64_t depthwise_padded(int64_t channels);
int64_t depthwise_weight_elements(int64_t taps_h, int64_t taps_w, int64_t group_channels, int64_t channels);
Tensor pack_depthwise_weights(const WeightView& weights, DType type);

// How many of kDepthwiseTiles suit the window; 0: none, it may be anything.
int64_t depthwise_tiles(const SlidingWindow& window);
// Whether the kernels that read boxes of pixels have the window.
bool has_depthwise_boxes(const SlidingWindow& window);

}  // namespace kiln::cuda::kernels
