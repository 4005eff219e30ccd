// What the convolutions of bytes share: operands x (bytes), packed weights, start values and operands of the steps after the sums, all
// channels last, and the parameters window, `depth` (of volumes), groups and `x_zero`, the value of padding.
#pragma once
#include "backends/cpu/device/compute/conv_volume.h"
#include "backends/cpu/device/kernels/conv_parameters.h"

namespace kiln::cpu::kernels {

// Checks x, the result and the type of the packed weights (int8), whose size is left to the caller.
Status read_byte_images(const ConvInt8Parameters& parameters, const KernelCall& call, VolumeShape& shape) noexcept;
// The lines, images or volumes of a convolution alone, of any type: inputs[0] and the result, channels last.
Status read_windows(const GroupedWindow& image, const DepthParameters& depth, const KernelCall& call,
                    VolumeShape& shape) noexcept;
Status read_windows(const SlidingWindow& window, int64_t groups, const KernelCall& call, ConvShape& shape) noexcept;

// The slices of a volume with equidistant pixels, as images of one batch.
std::optional<ImageView> slices_of(const TensorView& volume);
// A line, an image or a volume with equidistant pixels as rows of channels.
std::optional<RowsView> pixels_of(const TensorView& image);

}  // namespace kiln::cpu::kernels
