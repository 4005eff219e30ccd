// Windows over any number of spatial dimensions as kernel parameters.
#include "device/spatial_window.h"

#include <algorithm>

#include "base/require.h"

namespace kiln {

std::pair<int64_t, int64_t> SpatialWindow::pads(size_t axis, int64_t in, int64_t out) const {
  if (padding == kGiven) return {begin[axis], end[axis]};
  const int64_t reach = (kernel[axis] - 1) * dilations[axis] + 1;
  const int64_t total = std::max<int64_t>((out - 1) * strides[axis] + reach - in, 0), half = total / 2;
  return padding == kSameUpper ? std::pair(half, total - half) : std::pair(total - half, half);
}

bool SpatialWindow::fits(size_t axis, int64_t in, int64_t out) const {
  return out <= 1 || out - 1 <= (in + begin[axis] + end[axis]) / strides[axis];
}

bool windows_overlap(const Ints& kernel, double in, double out) {
  constexpr double kLong = 1024, kOften = 256;
  double taps = 1;
  for (int64_t k : kernel) taps *= static_cast<double>(k);
  return taps > kLong && out * taps > kOften * (in + out);
}

void SpatialWindow::check() const {
  require(!kernel.empty() && kernel.size() <= kMostDimensions, Code::kMalformedPlan,
          "parameter 'kernel' has no dimensions, or many");
  for (const Ints* list : {&strides, &dilations, &begin, &end})
    require(list->size() == kernel.size(), Code::kMalformedPlan, "the parameters of a window are of other dimensions");
}

}  // namespace kiln
