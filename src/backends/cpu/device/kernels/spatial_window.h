// A window over any number of spatial dimensions.
#pragma once
#include <utility>

#include "tensor/attributes.h"
#include "tensor/shape.h"

namespace kiln::cpu::kernels {

// One entry per spatial dimension. Padding is as given, or such that the output has ceil(input / stride) elements.
struct SpatialWindow {
  enum Padding : uint8_t { kGiven, kSameUpper, kSameLower };
  Ints kernel, strides, dilations, begin, end;
  Padding padding = kGiven;
  size_t rank() const { return kernel.size(); }
  // Padding along an axis for inputs and outputs of these sizes.
  std::pair<int64_t, int64_t> pads(size_t axis, int64_t in, int64_t out) const;
  // The last of `out` windows begins inside the padded input.
  bool fits(size_t axis, int64_t in, int64_t out) const;
};

// Whether windows have so many elements in common that they are better folded axis by axis. Sizes are those of a plane and its result.
bool windows_overlap(const Ints& kernel, double in, double out);

void put_spatial_window(Attributes& to, const SpatialWindow& window);
SpatialWindow read_spatial_window(const Attributes& parameters);  // throws Error(kMalformedPlan)

}  // namespace kiln::cpu::kernels
