// What GridSample, RoiAlign and LRN ask of their kernels.
#include "target/region_parameters.h"

#include <algorithm>

#include "device/region_parameters.h"

namespace kiln {

Attributes grid_sample_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  const GridSampler named = GridSampler::named(a.text("mode", "linear"), a.text("padding_mode", "zeros"),
                                               a.integer("align_corners", 0) != 0, {});
  Attributes parameters;
  put_grid_sample(parameters, {named.mode, named.padding, named.corners});
  return parameters;
}

Attributes roi_align_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  Attributes parameters;
  put_roi_align(parameters, {.shifted = a.text("coordinate_transformation_mode", "half_pixel") == "half_pixel",
                             .maximum = a.text("mode", "avg") == "max",
                             .ratio = std::max<int64_t>(a.integer("sampling_ratio", 0), 0),
                             .scale = a.real("spatial_scale", 1)});
  return parameters;
}

Attributes lrn_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  Attributes parameters;
  put_lrn(parameters, {a.real("alpha", 1e-4), a.real("beta", 0.75), a.real("bias", 1.0), a.integer("size")});
  return parameters;
}

}  // namespace kiln
