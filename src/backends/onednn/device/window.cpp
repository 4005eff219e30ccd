// Windows: their soundness, and their padding.
#include "backends/onednn/device/window.h"

#include <algorithm>

#include "base/error.h"

namespace kiln::onednn {
void Window::check() const {
  constexpr size_t kMostDimensions = 3;
  const size_t n = kernel.size();
  if (n < 1 || n > kMostDimensions)
    throw Error(Code::kMalformedPlan, "a window has " + std::to_string(n) + " dimensions");
  for (const Ints* list : {&strides, &dilations, &begin, &output_padding})
    if (list->size() != n)
      throw Error(Code::kMalformedPlan, "a window of " + std::to_string(n) + " dimensions has " +
                                            std::to_string(list->size()) + " numbers of a kind");
}

Pads pads_of(const Window& w, const Ints& large, const Ints& small) {
  Pads pads;
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    const int64_t reach = (w.kernel[i] - 1) * w.dilations[i] + 1;
    const int64_t total = (small[i] - 1) * w.strides[i] + reach - large[i];
    const int64_t split = std::max<int64_t>(total + w.output_padding[i], 0), half = split / 2;
    const int64_t begin = w.padding == Window::kGiven ? w.begin[i] : w.padding == Window::kUpper ? half : split - half;
    const int64_t end = std::max<int64_t>(total - begin, 0);
    if ((large[i] - reach + begin + end) / w.strides[i] + 1 != small[i] || large[i] - reach + begin + end < 0)
      throw Error(Code::kShapeMismatch, "a window does not lead from " + to_string(Attribute(large)) + " to " +
                                            to_string(Attribute(small)) + " elements");
    pads.begin.push_back(begin);
    pads.end.push_back(end);
  }
  return pads;
}

}  // namespace kiln::onednn
