// Images and windows as poolings take them.
#pragma once
#include "backends/cpu/device/compute/pool_nhwc.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/views.h"

namespace kiln::cpu::kernels {

inline PixelStrides pixels_of(const ImageView& v) { return {v.pixel_stride, v.row_stride, v.image_stride}; }

// Of images that the window fits.
inline PoolShape pool_shape(const ImageView& in, const ImageView& out, const SlidingWindow& w) {
  const auto [top, bottom] = w.pads(0, in.height, out.height);
  const auto [left, right] = w.pads(1, in.width, out.width);
  return {in.batch,
          in.height,
          in.width,
          in.channels,
          out.height,
          out.width,
          {w.kernel[0], w.kernel[1], w.stride[0], w.stride[1], w.dilation[0], w.dilation[1], top, left},
          bottom,
          right};
}

}  // namespace kiln::cpu::kernels
