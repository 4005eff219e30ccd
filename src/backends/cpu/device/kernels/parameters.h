// Parameters that several kernels share. They come from files that nobody vouches for: reading checks them.
#pragma once
#include <tuple>
#include <utility>
#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/compute/epilogue.h"
#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/kernels/views.h"
#include "device/parameters.h"
#include "tensor/attributes.h"

namespace kiln::cpu::kernels {

// The readers throw Error(kMalformedPlan).

using kiln::EpilogueParameters;
using kiln::put_epilogue;
using kiln::read_epilogue;
using kiln::read_integer;
using kiln::SlidingWindow;

// Bias and residual may be absent.
Epilogue make_epilogue(const EpilogueParameters& parameters, const TensorView& bias, const TensorView& residual,
                       int64_t residual_stride);

void put_blocks(Attributes& to, const BlockConfig& config);
BlockConfig read_blocks(const Attributes& parameters);

// A convolution between tensors of these sizes; strides are left for the caller.
ConvShape conv_shape(const SlidingWindow& window, int64_t groups, const ImageView& in, const ImageView& out);
}  // namespace kiln::cpu::kernels
