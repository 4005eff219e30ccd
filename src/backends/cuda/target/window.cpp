// The window attributes of convolutions and poolings as kernels take them.
#include "backends/cuda/target/window.h"

#include <algorithm>

namespace kiln::cuda {

SlidingWindow window_of(const Attributes& a, const Ints& kernel) {
  const size_t n = kernel.size(), first = 2 - n;
  const Ints strides = integers_of(a, "strides", n, 1), dilations = integers_of(a, "dilations", n, 1),
             pads = integers_of(a, "pads", 2 * n, 0);
  const std::string padding = a.text("auto_pad", "NOTSET");
  SlidingWindow w;
  w.padding = padding == "SAME_UPPER"   ? SlidingWindow::kSameUpper
              : padding == "SAME_LOWER" ? SlidingWindow::kSameLower
                                        : SlidingWindow::kGiven;
  for (size_t i = 0; i < n; ++i) {
    w.kernel[first + i] = kernel[i];
    w.stride[first + i] = strides[i];
    w.dilation[first + i] = dilations[i];
    w.begin[first + i] = padding == "VALID" ? 0 : pads[i];
    w.end[first + i] = padding == "VALID" ? 0 : pads[n + i];
  }
  return w;
}

Refusal accept_image(const Argument& a, const char* what, TypeSet types) {
  const std::string subject = std::string(what) + " ";
  if (!types.has(a.dtype)) return refuse(subject + "is " + std::string(name(a.dtype)) + ", needs " + types.str());
  if (!a.ranked || (a.opt.size() != 3 && a.opt.size() != 4))
    return refuse(subject + "has " + std::to_string(a.opt.size()) + " dimensions, needs 3 or 4");
  if (!a.layout.is_plain()) return refuse(subject + "has the blocked layout " + to_string(a.layout));
  return accept();
}

bool is_channels_last(const Argument& a) {
  if (a.layout == Layout::channels_last(static_cast<int>(a.opt.size()))) return true;
  const auto one = [](int64_t d) { return d == 1; };
  return a.layout.is_row_major() && a.is_static && std::all_of(a.opt.begin() + 2, a.opt.end(), one);
}

}  // namespace kiln::cuda
