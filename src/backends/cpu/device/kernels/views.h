// Tensors seen as matrices and as images whose pixels lie at equal distances.
#pragma once
#include <optional>
#include <span>

#include "device/device.h"

namespace kiln::cpu::kernels {

// Rows of adjacent columns, `stride` elements apart.
struct RowsView {
  int64_t rows = 1, columns = 1, stride = 0;
};
// Axes `row_axes` (outermost first) as one axis of rows, and `column_axis` (-1: one column) as adjacent elements. Nothing when
// the rows do not lie at equal distances without overlap.
std::optional<RowsView> rows_of(const TensorView& view, std::span<const int> row_axes, int column_axis);
// All axes but the last are rows; nothing for a scalar.
std::optional<RowsView> matrix_of(const TensorView& view);

// A tensor [n,c,w] or [n,c,h,w].
struct ImageView {
  int64_t batch = 1, channels = 1, height = 1, width = 1;
  int64_t image_stride = 0, channel_stride = 0, row_stride = 0, pixel_stride = 0;  // in elements
  bool equidistant = false;  // channels are adjacent and pixels lie pixel_stride apart through all rows and images
};
// Nothing for other ranks and blocked layouts.
std::optional<ImageView> image_of(const TensorView& view);

// Channels (axis 1) are innermost and nothing has gaps; false when it is row-major as well.
bool is_channels_last(const TensorView& view);
bool is_f32(const TensorView& view);
// Dense packed weights of float32, or kept in float16 or bfloat16.
bool are_packed_weights(const TensorView& view);
// A dense float32 tensor of `count` elements.
bool is_vector(const TensorView& view, int64_t count);

}  // namespace kiln::cpu::kernels
