// Tensors [n, c, w] or [n, c, h, w] as images: sizes, and distances in elements.
#pragma once
#include <optional>

#include "device/device.h"

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

}  // namespace kiln::cuda::kernels
