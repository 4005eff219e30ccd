// The window attributes of convolutions and poolings as kernels take them, and images as tactics see them.
#pragma once
#include "backends/cuda/target/checks.h"
#include "device/parameters.h"

namespace kiln::cuda {

// One spatial dimension counts as a row of height 1. `kernel` holds the spatial sizes of the kernel (one or two).
SlidingWindow window_of(const Attributes& attributes, const Ints& kernel);
inline SlidingWindow window_of(const Problem& problem, const Ints& kernel) {
  return window_of(problem.attributes(), kernel);
}
// A ranked tensor of 3 or 4 dimensions, of one of the types, in a layout with strides.
Refusal accept_image(const Argument& argument, const char* what, TypeSet types = kKernelFloats);
// Do the channels of an image lie innermost?
bool is_channels_last(const Argument& argument);

}  // namespace kiln::cuda
