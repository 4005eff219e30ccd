// The window attributes of convolutions and poolings as kernels take them.
#include "backends/cpu/target/window.h"

#include <algorithm>

#include "target/checks.h"

namespace kiln::cpu {

kernels::SlidingWindow window_of(const Problem& p, const Ints& kernel) {
  return inner_window(spatial_window_of(p, kernel));
}

kernels::SlidingWindow inner_window(const SpatialWindow& from) {
  kernels::SlidingWindow w;
  w.padding = static_cast<kernels::SlidingWindow::Padding>(from.padding);
  for (size_t to = 2, i = from.rank(); to > 0 && i > 0;) {
    --to, --i;
    w.kernel[to] = from.kernel[i];
    w.stride[to] = from.strides[i];
    w.dilation[to] = from.dilations[i];
    w.begin[to] = from.begin[i];
    w.end[to] = from.end[i];
  }
  return w;
}

std::optional<Ints> depth_of(const SpatialWindow& w) {
  if (w.rank() < 3) return std::nullopt;
  return Ints{w.kernel[0], w.strides[0], w.dilations[0], w.begin[0], w.end[0]};
}

kernels::ImageView image_of(const Dims& d) {
  kernels::ImageView v;
  v.batch = d[0];
  v.channels = d[1];
  v.height = d.size() == 4 ? d[2] : 1;
  v.width = d.back();
  return v;
}

bool is_channels_last(const Argument& a) {
  if (a.layout == Layout::channels_last(static_cast<int>(a.opt.size()))) return true;
  const auto one = [](int64_t d) { return d == 1; };
  return a.layout.is_row_major() && a.is_static && std::all_of(a.opt.begin() + 2, a.opt.end(), one);
}

Refusal accept_image(const Argument& a, const char* what, TypeSet types, size_t most) {
  const std::string subject = std::string(what) + " ";
  if (!types.has(a.dtype)) return refuse(subject + "is " + std::string(name(a.dtype)) + ", needs " + types.str());
  if (!a.ranked || a.opt.size() < 3 || a.opt.size() > most)
    return refuse(subject + "has " + std::to_string(a.opt.size()) + " dimensions, needs 3 to " + std::to_string(most));
  if (!a.layout.is_plain()) return refuse(subject + "has the blocked layout " + to_string(a.layout));
  return accept();
}

Refusal accept_channels_last(const Argument& a, const char* what, TypeSet types, size_t most) {
  const Refusal r = accept_image(a, what, types, most);
  if (r.refused() || is_channels_last(a)) return r;
  return refuse(std::string(what) + " has layout " + to_string(a.layout) + ", needs channels last");
}

}  // namespace kiln::cpu
