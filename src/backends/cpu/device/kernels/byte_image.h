// What the convolutions of bytes share: operands x (bytes), packed weights, start values and operands of the steps after the sums, all
// channels last, and the parameters window, groups and `x_zero`, the value of padding.
#pragma once
#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/kernels/conv_parameters.h"

namespace kiln::cpu::kernels {

// Checks x, the result and the type of the packed weights, whose size is left to the caller.
Status read_byte_images(const GroupedWindow& window, const KernelCall& call, DType weights, ConvShape& shape) noexcept;
// The images of a convolution alone, of any type: inputs[0] and the result, channels last.
Status read_windows(const SlidingWindow& window, int64_t groups, const KernelCall& call, ConvShape& shape) noexcept;

// An image with equidistant pixels as rows of channels.
std::optional<RowsView> pixels_of(const TensorView& image);

}  // namespace kiln::cpu::kernels
