// Reading of windows, and their padding.
#include "backends/onednn/device/window.h"

#include <algorithm>

#include "base/error.h"

namespace kiln::onednn {
namespace {

constexpr int64_t kMaxKernel = int64_t{1} << 16;  // code is generated for each element of a kernel's row
constexpr int64_t kMaxExtent = int64_t{1} << 30;
constexpr size_t kMaxDimensions = 3;

Ints read(const Attributes& parameters, const char* name, size_t count, int64_t least, int64_t most = kMaxExtent) {
  const Ints& values = parameters.ints(name);
  const auto sound = [&](int64_t v) { return v >= least && v <= most; };
  if (values.size() != count || !std::all_of(values.begin(), values.end(), sound))
    throw Error(Code::kMalformedPlan, "parameter '" + std::string(name) + "' is " + to_string(Attribute(values)))
        .cause("it must be " + std::to_string(count) + " numbers from " + std::to_string(least) + " to " +
               std::to_string(most));
  return values;
}

}  // namespace

Window read_window(const Attributes& parameters) {
  const size_t n = parameters.ints("kernel").size();
  if (n < 1 || n > kMaxDimensions)
    throw Error(Code::kMalformedPlan, "a window has " + std::to_string(n) + " dimensions");
  Window w;
  w.kernel = read(parameters, "kernel", n, 1, kMaxKernel);
  w.strides = read(parameters, "strides", n, 1);
  w.dilations = read(parameters, "dilations", n, 1);
  w.begin = read(parameters, "pads_begin", n, 0);
  w.output_padding = read(parameters, "output_padding", n, 0);
  w.padding = parameters.integer("padding");
  if (w.padding < Window::kGiven || w.padding > Window::kLower)
    throw Error(Code::kMalformedPlan, "parameter 'padding' is " + std::to_string(w.padding));
  return w;
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
