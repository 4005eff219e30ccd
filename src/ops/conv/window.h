// Sliding windows of convolutions and poolings: attributes, padding, output sizes, and which elements meet.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// One entry per spatial dimension.
struct Window {
  Shape kernel;
  Ints strides, dilations;
  Shape begin, end;  // padding
  Shape output;      // size of the output
};

// The attribute as it is, or `count` times `fallback` when absent; checks its length and that every value is at least `low`.
Ints window_ints(const ShapeCall& c, std::string_view attribute, size_t count, int64_t fallback, int64_t low);
// The attribute auto_pad, "NOTSET" when it is empty; throws kInvalidArgument for another word than the four.
std::string auto_pad(const ShapeCall& c);
// From auto_pad, pads, strides, dilations (and ceil_mode, when the operator has it) over an input of size `spatial`.
Window window_of(const ShapeCall& c, const Shape& spatial, Shape kernel, bool ceil_mode);
Shape spatial_dims(const Shape& dims);  // without the first two
OutputShape conv_shape(ShapeCall& c);   // the shape rule of Conv
// The kernel of the weights w [m,c,kernel...]; checked against the attribute kernel_shape when that is given.
Shape weight_kernel(const ShapeCall& c);
// kernel * dilation without the last gap.
Shape effective_kernel(const Shape& kernel, const Ints& dilations);

// One kernel element: row by row, `count` elements of the small space (the output of a convolution) from `small` on meet
// elements of the big space (its input), from `big` on, `step` apart. Padding meets nothing.
struct Tap {
  struct Row {
    int64_t small, big, count;
  };
  std::vector<Row> rows;
};
struct Taps {
  int64_t step = 1;
  std::vector<Tap> taps;  // kernel elements in row-major order
};
Taps make_taps(const Dims& small, const Dims& big, const Dims& kernel, const Ints& strides, const Ints& dilations,
               const Dims& begin);

}  // namespace kiln::ops
