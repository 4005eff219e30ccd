// The window attributes of operators over any number of spatial dimensions.
#include "target/spatial_window.h"

#include "target/checks.h"

namespace kiln {

SpatialWindow spatial_window_of(const Problem& p, const Ints& kernel) {
  const Attributes& a = p.attributes();
  const size_t n = kernel.size();
  SpatialWindow w;
  w.kernel = kernel;
  w.strides = integers_of(a, "strides", n, 1);
  w.dilations = integers_of(a, "dilations", n, 1);
  const Ints pads = integers_of(a, "pads", 2 * n, 0);
  const std::string padding = a.text("auto_pad", "NOTSET");
  if (padding == "SAME_UPPER") w.padding = SpatialWindow::kSameUpper;
  if (padding == "SAME_LOWER") w.padding = SpatialWindow::kSameLower;
  w.begin.assign(n, 0);
  w.end.assign(n, 0);
  if (padding != "VALID") {
    w.begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(n));
    w.end.assign(pads.begin() + static_cast<int64_t>(n), pads.end());
  }
  return w;
}

Refusal needs_short_windows(const Problem& p) {
  const auto plane = [](const Argument& a) {
    double count = 1;
    for (size_t i = 2; i < a.opt.size(); ++i) count *= static_cast<double>(a.opt[i]);
    return count;
  };
  if (!windows_overlap(p.attributes().ints("kernel_shape"), plane(p.input(0)), plane(p.outputs[0]))) return accept();
  return refuse("the windows are long and overlap");
}

}  // namespace kiln
