// What QuantizedAveragePool and QuantizedResize ask of their kernels, which have the same parameters on every device.
#pragma once
#include "device/byte_image_parameters.h"
#include "target/target.h"

namespace kiln {

inline constexpr TypeSet kBytesOfImages{DType::kI8, DType::kU8};

// All but the window, which backends read.
Refusal read_mean_bytes(const Problem& problem, MeanBytesParameters& to);
Refusal read_resize_bytes(const Problem& problem, ResizeBytesParameters& to);

}  // namespace kiln
