// Parameters of the kernels "pointwise" of every device.
#pragma once
#include "device/parameter_fields.h"

namespace kiln {

struct PointwiseParameters {
  ScalarProgram program = {};
  template <class V> void fields(V& v) { v("program", program); }
};

}  // namespace kiln
