// Parameters of the kernels "grid_sample", "roi_align" and "lrn" of every device.
#pragma once
#include "tensor/attributes.h"
#include "tensor/grid_sampling.h"

namespace kiln {

// The readers throw Error(kMalformedPlan) where a kernel could not use what stands there.

struct GridSampleParameters {
  GridSampler::Mode mode = GridSampler::Mode::kLinear;
  GridSampler::Padding padding = GridSampler::Padding::kZeros;
  bool corners = false;
};
void put_grid_sample(Attributes& to, const GridSampleParameters& values);
GridSampleParameters read_grid_sample(const Attributes& parameters);

struct RoiAlignParameters {
  bool shifted = true;   // by half a pixel
  bool maximum = false;  // of the samples of a bin; else their mean
  int64_t ratio = 0;     // samples of a bin along an axis; 0: as many as it has pixels
  double scale = 1;      // from the regions' coordinates to pixels
};
void put_roi_align(Attributes& to, const RoiAlignParameters& values);
RoiAlignParameters read_roi_align(const Attributes& parameters);

// x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta
struct LrnParameters {
  double alpha = 1e-4, beta = 0.75, bias = 1;
  int64_t size = 1;
};
void put_lrn(Attributes& to, const LrnParameters& values);
LrnParameters read_lrn(const Attributes& parameters);

}  // namespace kiln
