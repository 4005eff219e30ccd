// Parameters that several kernels share. They come from files that nobody vouches for: reading checks them.
#pragma once
#include <tuple>
#include <utility>
#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/compute/epilogue.h"
#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/kernels/views.h"

#include "tensor/attributes.h"

namespace kiln::cpu::kernels {

// The readers throw Error(kMalformedPlan).

struct EpilogueParameters {
  Activation activation = Activation::kNone;
  float alpha = 0, beta = 0;
  bool residual_after = false;
};
void put_epilogue(Attributes& to, const EpilogueParameters& epilogue);
EpilogueParameters read_epilogue(const Attributes& parameters);
// Bias and residual may be absent.
Epilogue make_epilogue(const EpilogueParameters& parameters, const TensorView& bias, const TensorView& residual,
                       int64_t residual_stride);

void put_blocks(Attributes& to, const BlockConfig& config);
BlockConfig read_blocks(const Attributes& parameters);

// A window over rows and columns. Padding is as given, or such that the output has ceil(input / stride) elements.
struct SlidingWindow {
  enum Padding : uint8_t { kGiven, kSameUpper, kSameLower };
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1}, begin[2] = {0, 0}, end[2] = {0, 0};
  Padding padding = kGiven;
  // Whether the last of `out` windows begins inside the padded input.
  bool fits(int axis, int64_t in, int64_t out) const;
  // Padding along `axis` for inputs and outputs of these sizes, which must fit.
  std::pair<int64_t, int64_t> pads(int axis, int64_t in, int64_t out) const;
};
void put_window(Attributes& to, const SlidingWindow& window);
SlidingWindow read_window(const Attributes& parameters);

// A convolution between tensors of these sizes; strides are left for the caller.
ConvShape conv_shape(const SlidingWindow& window, int64_t groups, const ImageView& in, const ImageView& out);

int64_t read_integer(const Attributes& parameters, std::string_view name, int64_t least, int64_t most);

}  // namespace kiln::cpu::kernels
