// Parameters of the kernel "cumulative".
#pragma once
#include "device/axis_parameters.h"

namespace kiln::cuda::kernels {

// The axis is known when the step is made.
struct AxisCumulativeParameters {
  AxisParameters along = {};
  CumulativeParameters sum = {};
  template <class V> void fields(V& v) {
    v(along);
    v(sum);
  }
};

}  // namespace kiln::cuda::kernels
