// Windows over any number of spatial dimensions as kernel parameters.
#include "backends/cpu/device/kernels/spatial_window.h"

#include <algorithm>

#include "base/error.h"

namespace kiln::cpu::kernels {

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

void put_spatial_window(Attributes& to, const SpatialWindow& w) {
  to.set("kernel", w.kernel);
  to.set("strides", w.strides);
  to.set("dilations", w.dilations);
  to.set("pads_begin", w.begin);
  to.set("pads_end", w.end);
  to.set("padding", static_cast<int64_t>(w.padding));
}

SpatialWindow read_spatial_window(const Attributes& p) {
  constexpr int64_t kMost = int64_t{1} << 30;
  SpatialWindow w;
  w.kernel = p.ints("kernel");
  if (w.kernel.empty() || w.kernel.size() > 8) throw Error(Code::kMalformedPlan, "a window has no dimensions, or many");
  const auto read = [&](const char* name, int64_t least) {
    Ints values = p.ints(name);
    if (values.size() != w.kernel.size() ||
        std::any_of(values.begin(), values.end(), [&](int64_t v) { return v < least || v > kMost; }))
      throw Error(Code::kMalformedPlan, "parameter '" + std::string(name) + "' of a window is not sound");
    return values;
  };
  w.kernel = read("kernel", 1);
  w.strides = read("strides", 1);
  w.dilations = read("dilations", 1);
  w.begin = read("pads_begin", 0);
  w.end = read("pads_end", 0);
  const int64_t padding = p.integer("padding", 0);
  if (padding < 0 || padding > 2) throw Error(Code::kMalformedPlan, "a window has no such padding");
  w.padding = static_cast<SpatialWindow::Padding>(padding);
  return w;
}

}  // namespace kiln::cpu::kernels
