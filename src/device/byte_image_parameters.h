// Parameters of the kernels "mean_bytes" and "resize_bytes" of every device, from bytes to bytes: what is between them is float32.
#pragma once
#include "base/require.h"
#include "device/pool_parameters.h"
#include "device/region_parameters.h"

namespace kiln {

// A window, or all pixels.
struct MeanBytesParameters {
  Pooling kind = Pooling::kMean;
  bool global = false;
  SlidingWindow window = {};
  double x_scale = 1, factor = 1, y_scale = 1;
  int32_t x_zero = 0, y_zero = 0;
  template <class V> void fields(V& v) {
    v("kind", kind, static_cast<int>(Pooling::kMeanWithPadding) + 1);
    v("global", global);
    v(window);
    v("x_scale", x_scale);
    v("factor", factor);
    v("y_scale", y_scale);
    v("x_zero", x_zero, -128, 255);
    v("y_zero", y_zero, -128, 255);
  }
};

// Its axes are those behind the channels.
struct ResizeBytesParameters {
  ResizeParameters resize = {};
  double x_scale = 1, y_scale = 1;
  int32_t x_zero = 0, y_zero = 0;
  template <class V> void fields(V& v) {
    v(resize);
    v("x_scale", x_scale);
    v("y_scale", y_scale);
    v("x_zero", x_zero, -128, 255);
    v("y_zero", y_zero, -128, 255);
  }
  // That it weighs, and nothing lies outside.
  void check() const {
    require(resize.resample.rule.mode != "nearest", Code::kMalformedPlan, "parameter 'mode' is 'nearest'");
    require(!resize.resample.crops(), Code::kMalformedPlan, "parameter 'coordinates' crops");
  }
};

}  // namespace kiln
