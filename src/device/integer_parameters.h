// Parameters of the kernels "integer_conv" of every device.
#pragma once
#include "device/conv_parameters.h"
#include "device/spatial_window.h"

namespace kiln {

struct IntegerConvParameters {
  SpatialWindow window = {};
  int64_t groups = 1;
  template <class V> void fields(V& v) {
    v(window);
    v("groups", groups, 1, kMostGroups);
  }
};

}  // namespace kiln
