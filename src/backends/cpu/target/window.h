// The window attributes of convolutions and poolings as kernels take them.
#pragma once
#include "backends/cpu/device/kernels/parameters.h"
#include "target/spatial_window.h"

namespace kiln::cpu {

// One spatial dimension counts as a row of height 1. `kernel` holds the spatial sizes of the kernel (one or two).
kernels::SlidingWindow window_of(const Problem& problem, const Ints& kernel);
// The same of a window over one to three dimensions; and the first of three as DepthParameters has it.
kernels::SlidingWindow inner_window(const SpatialWindow& window);
std::optional<Ints> depth_of(const SpatialWindow& window);
// Argument [n,c,w] or [n,c,h,w] at these dimensions.
kernels::ImageView image_of(const Dims& dims);
// Do the channels of an image lie innermost?
bool is_channels_last(const Argument& argument);
// A ranked tensor of 3 or 4 dimensions (at most `rank`), of these types, in a layout with strides; `what` names it in the reason.
Refusal accept_image(const Argument& argument, const char* what, TypeSet types = DType::kF32, size_t rank = 4);
Refusal accept_channels_last(const Argument& argument, const char* what, TypeSet types = DType::kF32, size_t rank = 4);

}  // namespace kiln::cpu
