// What the convolutions share: a call's operands (x, packed weights, bias, residual), checked.
#pragma once
#include "backends/cpu/device/kernels/conv_parameters.h"

namespace kiln::cpu::kernels {

// Sizes and distances of one call.
struct ConvOperands {
  ConvShape shape;
  ImageView in, out;
  int64_t residual_stride = 0;
  bool copy_input = false;  // channels are not adjacent: x is copied to channels last before use
  int64_t copied_floats() const { return copy_input ? shape.batch * shape.in_h * shape.in_w * shape.in_c : 0; }
};
// Checks all operands but the size of the packed weights, which may be kept in 16 bits where they are `narrow`. Images are of `type`.
Status read_operands(const ConvParameters& parameters, const KernelCall& call, ConvOperands& operands,
                     bool narrow = false, DType type = DType::kF32) noexcept;

// The sum, of `type`, that a convolution adds to its result `out`; absent: the stride stays as it is.
Status read_residual(const TensorView& residual, const ImageView& out, int64_t& stride,
                     DType type = DType::kF32) noexcept;

Epilogue epilogue_of(const ConvParameters& parameters, const ConvOperands& operands, const KernelCall& call);
// x to channels last.
void copy_to_channels_last(const ImageView& x, const float* from, float* to, int threads) noexcept;

}  // namespace kiln::cpu::kernels
