// Tensors [n, c, w] or [n, c, h, w] as images: sizes, and distances in elements; and windows over them as arguments.
#pragma once
#include <optional>

#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

struct ImageView {
  int64_t batch = 1, channels = 1, height = 1, width = 1;
  int64_t batch_stride = 0, channel_stride = 0, row_stride = 0, pixel_stride = 0;
  bool adjacent_channels() const { return channels == 1 || channel_stride == 1; }
  // Channels are adjacent, and pixels lie pixel_stride apart through all rows and images.
  bool equidistant() const;
  int64_t pixels() const { return batch * height * width; }
};
// Nothing for other ranks, blocked layouts, and sizes beyond 2^31.
std::optional<ImageView> image_of(const TensorView& view);
// All axes but the last, in their order, as the pixels of one row; nothing when they do not lie at equal distances.
std::optional<ImageView> rows_as_image(const TensorView& view);

template <class Arguments> void set_steps(Arguments& a, const SlidingWindow& window) {
  a.stride_h = narrow_signed(window.stride[0]);
  a.stride_w = narrow_signed(window.stride[1]);
  a.dilation_h = narrow_signed(window.dilation[0]);
  a.dilation_w = narrow_signed(window.dilation[1]);
}

// The steps, the size of the image, and the padding before it.
template <class Arguments>
void set_window(Arguments& a, const SlidingWindow& window, const ImageView& in, const ImageView& out) {
  set_steps(a, window);
  a.height = narrow_signed(in.height);
  a.width = narrow_signed(in.width);
  a.top = narrow_signed(window.pads(0, in.height, out.height).first);
  a.left = narrow_signed(window.pads(1, in.width, out.width).first);
}

}  // namespace kiln::cuda::kernels
