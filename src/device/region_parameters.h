// Parameters of the kernels "grid_sample", "roi_align", "non_max_suppression", "lrn" and "resize" of every device.
#pragma once
#include "device/movement_parameters.h"
#include "tensor/grid_sampling.h"
#include "tensor/sampling.h"

namespace kiln {

struct GridSampleParameters {
  static constexpr std::string_view kModes[] = {"nearest", "linear", "cubic"};        // by GridSampler::Mode
  static constexpr std::string_view kPaddings[] = {"zeros", "border", "reflection"};  // by GridSampler::Padding
  GridSampler::Mode mode = GridSampler::Mode::kLinear;
  GridSampler::Padding padding = GridSampler::Padding::kZeros;
  bool corners = false;
  template <class V> void fields(V& v) {
    v("mode", mode, kModes);
    v("padding", padding, kPaddings);
    v("corners", corners);
  }
};

struct RoiAlignParameters {
  static constexpr int64_t kMostSamples = int64_t{1} << 20;
  bool shifted = true;   // by half a pixel
  bool maximum = false;  // of the samples of a bin; else their mean
  int64_t ratio = 0;     // samples of a bin along an axis; 0: as many as it has pixels
  double scale = 1;      // from the regions' coordinates to pixels
  template <class V> void fields(V& v) {
    v("shifted", shifted);
    v("maximum", maximum);
    v("ratio", ratio, 0, kMostSamples);
    v("scale", scale);
  }
};

// Of "non_max_suppression".
struct NmsParameters {
  bool center = false;  // boxes are centres and sizes, not corners
  template <class V> void fields(V& v) { v("center", center); }
};

// x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta
struct LrnParameters {
  double alpha = 1e-4, beta = 0.75, bias = 1;
  int64_t size = 1;
  template <class V> void fields(V& v) {
    v("alpha", alpha);
    v("beta", beta);
    v("bias", bias);
    v("size", size, 1, INT32_MAX);
  }
};

// How a resize samples: what its node says.
struct ResampleParameters {
  static constexpr std::string_view kModes[] = {"nearest", "linear", "cubic"};
  static constexpr std::string_view kNearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  static constexpr std::string_view kCoordinates[] = {
      "half_pixel",           "asymmetric",           "align_corners",     "pytorch_half_pixel",
      "tf_half_pixel_for_nn", "half_pixel_symmetric", "tf_crop_and_resize"};
  ResampleRule rule = {};
  double outside = 0;  // the result beyond the region of tf_crop_and_resize
  Ints axes = {};
  bool crops() const { return rule.coordinates == "tf_crop_and_resize"; }
  template <class V> void fields(V& v) {
    v("mode", rule.mode, kModes);
    v("nearest_mode", rule.nearest_mode, kNearest);
    v("coordinates", rule.coordinates, kCoordinates);
    v("cubic_a", rule.cubic_a);
    v("antialias", rule.antialias);
    v("exclude_outside", rule.exclude_outside);
    v("outside", outside);
    v("axes", axes, 0, kMostAxis);
  }
};

struct ResizeParameters {
  ResampleParameters resample = {};
  Floats scales = {};  // one for each axis, or none: the sizes' quotients
  Floats roi = {};     // where it crops: the starts of the axes, then the ends
  template <class V> void fields(V& v) {
    v(resample);
    v("scales", scales);
    v("roi", roi);
  }
  void check() const;  // that the lists fit each other, and that kernels compute with the numbers
};

}  // namespace kiln
