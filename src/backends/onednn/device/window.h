// The window of convolutions and poolings over any number of spatial dimensions, as parameters.
#pragma once
#include "device/parameter_fields.h"

namespace kiln::onednn {

// Padding before the first element is as given; or it is half of what the sizes demand, rounded down (upper) or up (lower).
// Padding after the last is what the sizes demand.
struct Window {
  static constexpr int64_t kMostTaps = int64_t{1} << 16;  // code is generated for each element of a kernel's row
  static constexpr int64_t kMost = int64_t{1} << 30;
  enum Padding : int64_t { kGiven, kUpper, kLower };
  Ints kernel = {}, strides = {}, dilations = {}, begin = {}, output_padding = {};  // one entry per dimension
  Padding padding = kGiven;
  template <class V> void fields(V& v) {
    v("kernel", kernel, 1, kMostTaps);
    v("strides", strides, 1, kMost);
    v("dilations", dilations, 1, kMost);
    v("pads_begin", begin, 0, kMost);
    v("output_padding", output_padding, 0, kMost);
    v("padding", padding, kLower + 1);
  }
  void check() const;  // that there is a number for each dimension
};

// Padding for certain sizes. `large` is what the window slides over, `small` has one element per position of the window.
struct Pads {
  Ints begin, end;
};
// Throws Error(kShapeMismatch) when no padding makes the sizes fit.
Pads pads_of(const Window& window, const Ints& large, const Ints& small);

}  // namespace kiln::onednn
