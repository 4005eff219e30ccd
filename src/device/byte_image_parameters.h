// Parameters of the kernels "mean_bytes" and "resize_bytes" of every device, from bytes to bytes: what is between them is float32.
#pragma once
#include <algorithm>

#include "base/require.h"
#include "device/pool_parameters.h"
#include "device/region_parameters.h"
#include "device/views.h"

namespace kiln {

// One operand and one result, of bytes.
inline Status check_byte_images(const KernelCall& call) noexcept {
  if (call.inputs.size() != 1 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "a mean or resize of bytes has one operand and one result"};
  if (!is_byte(call.inputs[0]) || !is_byte(call.outputs[0]))
    return {Code::kMalformedPlan, "operands of a mean or resize of bytes are no images of bytes"};
  return kOkStatus;
}

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
  // The window as it moves over the image x: all of x where the mean is global. kShapeMismatch where it does not make y of x.
  template <class Image> Status window_over(const Image& x, const Image& y, SlidingWindow& to) const {
    to = global ? SlidingWindow() : window;
    if (global) {
      to.kernel[0] = std::max<int64_t>(x.height, 1);
      to.kernel[1] = std::max<int64_t>(x.width, 1);
    }
    const bool fits =
        global ? y.height == 1 && y.width == 1 : to.fits(0, x.height, y.height) && to.fits(1, x.width, y.width);
    if (x.batch == y.batch && x.channels == y.channels && fits) return kOkStatus;
    return {Code::kShapeMismatch, "operands of a mean of bytes do not fit each other"};
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
