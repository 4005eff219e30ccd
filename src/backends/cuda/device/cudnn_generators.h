// Generators of kernels whose plans cuDNN compiles.
#pragma once
#include "backends/cuda/device/generator.h"

namespace kiln::cuda {

// "cudnn_compiled", "cudnn_attention", "cudnn_norm". A binary is a plan as the library writes it, with its code.
std::span<const Generator> cudnn_generators();

}  // namespace kiln::cuda
