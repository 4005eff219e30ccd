// Means and resizes from bytes to bytes.
#include "target/byte_images.h"

#include <algorithm>

#include "target/pool_parameters.h"
#include "target/region_parameters.h"

namespace kiln {
namespace {

// Inputs of QuantizedAveragePool, and of QuantizedResize.
enum MeanInput : int { kMeanXScale = 1, kMeanYScale, kMeanXZero, kMeanYZero, kMeanFactor };
enum ResizeInput : int { kResizeXScale = 4, kResizeYScale, kResizeXZero, kResizeYZero };

Refusal accept_one(const Argument& a, const char* what) {
  if (!a.present || (a.constant && a.constant->size() == 1)) return accept();
  return refuse(std::string(what) + " is not one constant");
}

double one_of(const Problem& p, int input, double absent) {
  return p.input(input).present ? p.input(input).constant->at(0) : absent;
}

}  // namespace

Refusal read_mean_bytes(const Problem& p, MeanBytesParameters& to) {
  for (const Refusal& r : {accept_one(p.input(kMeanXScale), "x_scale"), accept_one(p.input(kMeanYScale), "y_scale"),
                           accept_one(p.input(kMeanXZero), "x_zero_point"),
                           accept_one(p.input(kMeanYZero), "y_zero_point"), accept_one(p.input(kMeanFactor), "factor")})
    if (r.refused()) return r;
  if (!p.post().empty()) return refuse("there are post-operations");
  to = {.kind = pooling_of(p),
        .global = p.attributes().integer("global", 0) != 0,
        .x_scale = one_of(p, kMeanXScale, 1),
        .factor = one_of(p, kMeanFactor, 1),
        .y_scale = one_of(p, kMeanYScale, 1),
        .x_zero = static_cast<int32_t>(one_of(p, kMeanXZero, 0)),
        .y_zero = static_cast<int32_t>(one_of(p, kMeanYZero, 0))};
  return to.y_scale > 0 ? accept() : refuse("y_scale is not positive");
}

Refusal read_resize_bytes(const Problem& p, ResizeBytesParameters& to) {
  for (const Refusal& r :
       {accept_one(p.input(kResizeXScale), "x_scale"), accept_one(p.input(kResizeYScale), "y_scale"),
        accept_one(p.input(kResizeXZero), "x_zero_point"), accept_one(p.input(kResizeYZero), "y_zero_point")})
    if (r.refused()) return r;
  if (!p.post().empty()) return refuse("there are post-operations");
  if (const Refusal r = read_resize(p, to.resize); r.refused()) return r;
  const ResampleParameters& how = to.resize.resample;
  if (how.rule.mode == "nearest" || how.crops()) return refuse("it does not weigh what lies inside");
  if (!std::is_sorted(how.axes.begin(), how.axes.end()) || (!how.axes.empty() && how.axes[0] < 2))
    return refuse("it resizes channels, or columns before rows");
  to.x_scale = one_of(p, kResizeXScale, 1);
  to.y_scale = one_of(p, kResizeYScale, 1);
  to.x_zero = static_cast<int32_t>(one_of(p, kResizeXZero, 0));
  to.y_zero = static_cast<int32_t>(one_of(p, kResizeYZero, 0));
  return to.y_scale > 0 ? accept() : refuse("y_scale is not positive");
}

}  // namespace kiln
