// What GridSample, RoiAlign, LRN and Resize ask of their kernels.
#include "target/region_parameters.h"

#include <algorithm>

#include "target/checks.h"
#include "tensor/sampling.h"

namespace kiln {

GridSampleParameters grid_sample_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  const GridSampler named = GridSampler::named(a.text("mode", "linear"), a.text("padding_mode", "zeros"),
                                               a.integer("align_corners", 0) != 0, {});
  return {named.mode, named.padding, named.corners};
}

RoiAlignParameters roi_align_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  return {.shifted = a.text("coordinate_transformation_mode", "half_pixel") == "half_pixel",
          .maximum = a.text("mode", "avg") == "max",
          .ratio = std::max<int64_t>(a.integer("sampling_ratio", 0), 0),
          .scale = a.real("spatial_scale", 1)};
}

LrnParameters lrn_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  return {a.real("alpha", 1e-4), a.real("beta", 0.75), a.real("bias", 1.0), a.integer("size")};
}

namespace {

bool given(const Argument& a) { return a.present && !(a.opt.size() == 1 && a.opt[0] == 0); }

Floats values(const Tensor& t) {
  Floats list;
  for (int64_t i = 0; i < t.size(); ++i) list.push_back(t.at(i));
  return list;
}

// The axis neither grows nor shrinks, whatever the shape.
bool keeps(const Problem& p, int64_t axis) {
  const auto k = static_cast<size_t>(axis);
  return p.node->input(0)->shape()[k] == p.node->output()->shape()[k];
}

}  // namespace

bool is_beyond_resize_kernels(const Problem& p) {
  const Tensor *roi = p.input(1).constant, *scales = p.input(2).constant;
  return (scales && !kernels_take_scales(values(*scales))) || (roi && !kernels_take_region(values(*roi)));
}

ResampleParameters resample_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  const int64_t n = rank(p.input(0));
  Ints axes = a.ints("axes", {});
  for (int64_t& axis : axes) axis = normalize_axis(axis, n);
  if (!a.has("axes"))
    for (int64_t i = 0; i < n; ++i) axes.push_back(i);
  return {.rule = {.mode = a.text("mode", "nearest"),
                   .nearest_mode = a.text("nearest_mode", "round_prefer_floor"),
                   .coordinates = a.text("coordinate_transformation_mode", "half_pixel"),
                   .cubic_a = a.real("cubic_coeff_a", -0.75),
                   .antialias = a.integer("antialias", 0) != 0,
                   .exclude_outside = a.integer("exclude_outside", 0) != 0},
          .outside = a.real("extrapolation_value", 0),
          .axes = std::move(axes)};
}

Refusal read_resize(const Problem& p, ResizeParameters& to) {
  to = {.resample = resample_parameters(p)};
  const Ints axes = std::move(to.resample.axes);
  const bool by_scales = given(p.input(2)), crops = to.resample.crops();
  if (by_scales && !p.input(2).constant) return refuse("the scales are known only at run time");
  if (crops && !p.input(1).constant) return refuse("the region is known only at run time");
  if (!by_scales && p.attributes().text("keep_aspect_ratio_policy", "stretch") != "stretch")
    return refuse("sizes that keep the aspect ratio");
  const Floats scales = by_scales ? values(*p.input(2).constant) : Floats(),
               roi = crops ? values(*p.input(1).constant) : Floats();
  if ((by_scales && scales.size() != axes.size()) || (crops && roi.size() != 2 * axes.size()))
    return refuse("the numbers of scales and axes differ");
  if (!kernels_take_scales(scales) || !kernels_take_region(roi))
    return refuse("a scale or the region is beyond what kernels compute");
  Ints kept_axes;
  Floats kept_scales, starts, ends;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (crops ? roi[i] == 0 && roi[axes.size() + i] == 1 && keeps(p, axes[i]) && (!by_scales || scales[i] == 1)
              : keeps(p, axes[i]) && (!by_scales || scales[i] == 1))
      continue;
    kept_axes.push_back(axes[i]);
    if (by_scales) kept_scales.push_back(scales[i]);
    if (crops) starts.push_back(roi[i]), ends.push_back(roi[axes.size() + i]);
  }
  starts.insert(starts.end(), ends.begin(), ends.end());
  to.resample.axes = std::move(kept_axes);
  to.scales = std::move(kept_scales);
  to.roi = std::move(starts);
  return accept();
}

}  // namespace kiln
