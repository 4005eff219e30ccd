// The window of convolutions and poolings over any number of spatial dimensions, as parameters.
#pragma once
#include "tensor/attributes.h"

namespace kiln::onednn {

// Padding before the first element is as given; or it is half of what the sizes demand, rounded down (upper) or up (lower).
// Padding after the last is what the sizes demand.
struct Window {
  enum Padding : int64_t { kGiven, kUpper, kLower };
  Ints kernel, strides, dilations, begin, output_padding;  // one entry per dimension
  int64_t padding = kGiven;
};

inline void put_window(Attributes& to, const Window& w) {
  to.set("kernel", w.kernel);
  to.set("strides", w.strides);
  to.set("dilations", w.dilations);
  to.set("pads_begin", w.begin);
  to.set("output_padding", w.output_padding);
  to.set("padding", w.padding);
}
// Throws Error(kMalformedPlan).
Window read_window(const Attributes& parameters);

// Padding for certain sizes. `large` is what the window slides over, `small` has one element per position of the window.
struct Pads {
  Ints begin, end;
};
// Throws Error(kShapeMismatch) when no padding makes the sizes fit.
Pads pads_of(const Window& window, const Ints& large, const Ints& small);

}  // namespace kiln::onednn
