// Parameters of the convolutions of every device.
#pragma once
#include "device/parameters.h"

namespace kiln {

inline constexpr int64_t kMostGroups = int64_t{1} << 30;

// A window that moves over groups of channels.
struct GroupedWindow {
  SlidingWindow window = {};
  int64_t groups = 1;
  template <class V> void fields(V& v) {
    v(window);
    v("groups", groups, 1, kMostGroups);
  }
};

// And what happens to its results.
struct ConvParameters : GroupedWindow {
  EpilogueParameters epilogue = {};
  template <class V> void fields(V& v) {
    GroupedWindow::fields(v);
    v(epilogue);
  }
};

// Of "deform_conv".
struct DeformConvParameters {
  static constexpr int64_t kMostExtent = int64_t{1} << 31;
  int64_t groups = 1, offset_groups = 1;
  int64_t strides[2] = {1, 1}, dilations[2] = {1, 1};
  int64_t pads[2] = {0, 0};  // before the rows and the columns
  template <class V> void fields(V& v) {
    v("groups", groups, 1, INT32_MAX);
    v("offset_groups", offset_groups, 1, INT32_MAX);
    v("strides", strides, 1, kMostExtent);
    v("dilations", dilations, 1, kMostExtent);
    v("pads", pads, -kMostExtent, kMostExtent);
  }
  // The parameter with a number beyond `most`; null: none has one.
  const char* longer_than(int64_t most) const {
    const auto longer = [most](const int64_t(&pair)[2]) {
      return std::max(pair[0], pair[1]) > most || std::min(pair[0], pair[1]) < -most;
    };
    return longer(strides) ? "strides" : longer(dilations) ? "dilations" : longer(pads) ? "pads" : nullptr;
  }
};

}  // namespace kiln
