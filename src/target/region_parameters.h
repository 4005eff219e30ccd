// What GridSample, RoiAlign, LRN and Resize ask of their kernels, which have the same parameters on every device.
#pragma once
#include "device/region_parameters.h"
#include "target/target.h"

namespace kiln {

GridSampleParameters grid_sample_parameters(const Problem& problem);
RoiAlignParameters roi_align_parameters(const Problem& problem);
LrnParameters lrn_parameters(const Problem& problem);

// How a Resize samples, along all axes that it names.
ResampleParameters resample_parameters(const Problem& problem);
// A Resize whose scales, or sizes, and region are known, of the axes that change.
Refusal read_resize(const Problem& problem, ResizeParameters& to);
// Known scales or a known region that no kernel computes with.
bool is_beyond_resize_kernels(const Problem& problem);

}  // namespace kiln
