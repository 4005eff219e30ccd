// Parameters that kernels of several devices share: writing and checked reading.
#include "device/parameters.h"

#include <algorithm>

#include "base/error.h"

namespace kiln {

int64_t read_integer(const Attributes& parameters, std::string_view name, int64_t least, int64_t most) {
  const int64_t value = parameters.integer(name);
  if (value < least || value > most)
    throw Error(Code::kMalformedPlan, "parameter '" + std::string(name) + "' is " + std::to_string(value))
        .cause("it must lie between " + std::to_string(least) + " and " + std::to_string(most));
  return value;
}

bool SlidingWindow::fits(int axis, int64_t in, int64_t out) const {
  return out <= 1 || out - 1 <= (in + begin[axis] + end[axis]) / stride[axis];
}

std::pair<int64_t, int64_t> SlidingWindow::pads(int axis, int64_t in, int64_t out) const {
  if (padding == kGiven) return {begin[axis], end[axis]};
  const int64_t reach = (kernel[axis] - 1) * dilation[axis] + 1;
  const int64_t total = std::max<int64_t>((out - 1) * stride[axis] + reach - in, 0), half = total / 2;
  return padding == kSameUpper ? std::pair(half, total - half) : std::pair(total - half, half);
}

void put_window(Attributes& to, const SlidingWindow& w) { put_parameters(to, w); }
SlidingWindow read_sliding_window(const Attributes& p) { return read_part<SlidingWindow>(p); }

void put_epilogue(Attributes& to, const EpilogueParameters& e) { put_parameters(to, e); }
EpilogueParameters read_epilogue(const Attributes& p) { return read_part<EpilogueParameters>(p); }

}  // namespace kiln
