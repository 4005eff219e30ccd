// Windows over rows and columns.
#include "device/parameters.h"

#include <algorithm>

namespace kiln {

bool SlidingWindow::fits(int axis, int64_t in, int64_t out) const {
  return out <= 1 || out - 1 <= (in + begin[axis] + end[axis]) / stride[axis];
}

std::pair<int64_t, int64_t> SlidingWindow::pads(int axis, int64_t in, int64_t out) const {
  if (padding == kGiven) return {begin[axis], end[axis]};
  const int64_t reach = (kernel[axis] - 1) * dilation[axis] + 1;
  const int64_t total = std::max<int64_t>((out - 1) * stride[axis] + reach - in, 0), half = total / 2;
  return padding == kSameUpper ? std::pair(half, total - half) : std::pair(total - half, half);
}

}  // namespace kiln
