// Parameters of the kernel "resize": what they mean together.
#include "device/region_parameters.h"

#include <cmath>

#include "base/require.h"

namespace kiln {

void ResizeParameters::check() const {
  constexpr double kMostCubic = 1e6;
  const size_t n = resample.axes.size();
  const bool ok = (scales.empty() || scales.size() == n) && (roi.empty() || roi.size() == 2 * n) &&
                  (!resample.crops() || !roi.empty() || n == 0) && std::abs(resample.rule.cubic_a) <= kMostCubic &&
                  kernels_take_scales(scales) && kernels_take_region(roi);
  require(ok, Code::kMalformedPlan, "the parameters of resize do not fit each other");
}

}  // namespace kiln
