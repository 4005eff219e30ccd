// Weights of the kernel conv_transpose.
#pragma once
#include "backends/cpu/device/compute/conv_transpose.h"
#include "backends/cpu/device/compute/gemm.h"

namespace kiln::cpu::kernels {

// Floats that the packed weights take, and room for the weights of one group in the order of the taps.
int64_t packed_transpose_floats(const TransposeShape& shape);
int64_t ordered_transpose_floats(const TransposeShape& shape);
// Weights [in, out / groups, height, width] as the kernel takes them.
void pack_transpose(const TransposeShape& shape, const float* weights, const BlockConfig& blocks, float* packed,
                    float* ordered) noexcept;

}  // namespace kiln::cpu::kernels
