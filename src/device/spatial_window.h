// A window over any number of spatial dimensions.
#pragma once
#include <utility>

#include "device/parameter_fields.h"
#include "tensor/shape.h"

namespace kiln {

// One entry per spatial dimension. Padding is as given, or such that the output has ceil(input / stride) elements.
struct SpatialWindow {
  enum Padding : uint8_t { kGiven, kSameUpper, kSameLower };
  static constexpr int64_t kMost = int64_t{1} << 30;
  static constexpr size_t kMostDimensions = 8;
  Ints kernel = {}, strides = {}, dilations = {}, begin = {}, end = {};
  Padding padding = kGiven;
  size_t rank() const { return kernel.size(); }
  // Padding along an axis for inputs and outputs of these sizes.
  std::pair<int64_t, int64_t> pads(size_t axis, int64_t in, int64_t out) const;
  // The last of `out` windows begins inside the padded input.
  bool fits(size_t axis, int64_t in, int64_t out) const;
  template <class V> void fields(V& v) {
    v("kernel", kernel, 1, kMost);
    v("strides", strides, 1, kMost);
    v("dilations", dilations, 1, kMost);
    v("pads_begin", begin, 0, kMost);
    v("pads_end", end, 0, kMost);
    v("padding", padding, kSameLower + 1);
  }
  void check() const;  // that there is a number for each dimension
};

// Whether windows have so many elements in common that they are better folded axis by axis. Sizes are those of a plane and its result.
bool windows_overlap(const Ints& kernel, double in, double out);

}  // namespace kiln
