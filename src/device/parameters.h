// Parameters that kernels of several devices share.
#pragma once
#include <utility>

#include "device/activation.h"
#include "device/parameter_fields.h"

namespace kiln {

inline constexpr int64_t kMostWindow = int64_t{1} << 30;  // of kernels, strides, padding

// A window over rows and columns. Padding is as given, or such that the output has ceil(input / stride) elements.
struct SlidingWindow {
  enum Padding : uint8_t { kGiven, kSameUpper, kSameLower };
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1}, begin[2] = {0, 0}, end[2] = {0, 0};
  Padding padding = kGiven;
  // Whether the last of `out` windows begins inside the padded input.
  bool fits(int axis, int64_t in, int64_t out) const;
  // Padding along `axis` for inputs and outputs of these sizes, which must fit.
  std::pair<int64_t, int64_t> pads(int axis, int64_t in, int64_t out) const;
  template <class V> void fields(V& v) {
    v("kernel", kernel, 1, kMostWindow);
    v("strides", stride, 1, kMostWindow);
    v("dilations", dilation, 1, kMostWindow);
    v("pads_begin", begin, 0, kMostWindow);
    v("pads_end", end, 0, kMostWindow);
    v("padding", padding, kSameLower + 1);
  }
};

// What happens to results before they are stored: activation(x + bias [+ residual]) [+ residual].
struct EpilogueParameters {
  Activation activation = Activation::kNone;
  float alpha = 0, beta = 0;
  bool residual_after = false;
  template <class V> void fields(V& v) {
    v("activation", activation, kActivationCount);
    v("activation_alpha", alpha);
    v("activation_beta", beta);
    v("residual_after", residual_after);
  }
};

}  // namespace kiln
