// What GridSample, RoiAlign and LRN ask of their kernels, which have the same parameters on every device.
#pragma once
#include "target/target.h"

namespace kiln {

Attributes grid_sample_parameters(const Problem& problem);
Attributes roi_align_parameters(const Problem& problem);
Attributes lrn_parameters(const Problem& problem);

}  // namespace kiln
