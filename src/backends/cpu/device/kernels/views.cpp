// Tensors seen as matrices and images.
#include "backends/cpu/device/kernels/views.h"

#include <numeric>
#include <vector>

#include "backends/cpu/device/kernels/common.h"

namespace kiln::cpu::kernels {

std::optional<RowsView> rows_of(const TensorView& view, std::span<const int> row_axes, int column_axis) {
  if (!is_plain(view)) return std::nullopt;
  RowsView result;
  if (column_axis >= 0) {
    result.columns = view.dims[column_axis];
    if (result.columns != 1 && view.strides[column_axis] != 1) return std::nullopt;
  }
  result.stride = result.columns;
  bool found = false;
  for (size_t i = row_axes.size(); i-- > 0;) {
    const int axis = row_axes[i];
    if (view.dims[axis] == 1) continue;
    if (!found) {
      result.stride = view.strides[axis];
      if (result.stride < result.columns) return std::nullopt;
      found = true;
    } else if (view.strides[axis] != result.stride * result.rows && view.dims[axis] != 0 && result.rows != 0) {
      return std::nullopt;
    }
    result.rows *= view.dims[axis];
  }
  return result;
}

std::optional<RowsView> matrix_of(const TensorView& view) {
  if (view.rank < 1) return std::nullopt;
  std::vector<int> axes(static_cast<size_t>(view.rank - 1));
  std::iota(axes.begin(), axes.end(), 0);
  return rows_of(view, axes, view.rank - 1);
}

std::optional<ImageView> image_of(const TensorView& view) {
  if (!is_plain(view) || (view.rank != 3 && view.rank != 4)) return std::nullopt;
  const int64_t *d = view.dims, *s = view.strides;
  ImageView image;
  image.batch = d[0];
  image.channels = d[1];
  image.height = view.rank == 4 ? d[2] : 1;
  image.width = d[view.rank - 1];
  image.image_stride = s[0];
  image.channel_stride = s[1];
  image.pixel_stride = s[view.rank - 1];
  image.row_stride = view.rank == 4 ? s[2] : image.pixel_stride * image.width;
  const int flat[] = {0, 2}, square[] = {0, 2, 3};
  const auto rows = view.rank == 4 ? rows_of(view, square, 1) : rows_of(view, flat, 1);
  if (rows) {
    image.equidistant = true;
    image.pixel_stride = rows->stride;
    image.row_stride = rows->stride * image.width;
    image.image_stride = image.row_stride * image.height;
  }
  return image;
}

bool is_channels_last(const TensorView& view) {
  if (view.rank < 3 || !is_plain(view) || view.is_dense()) return false;
  const auto lies = [&](int axis, int64_t stride) { return view.dims[axis] == 1 || view.strides[axis] == stride; };
  int64_t stride = view.dims[1];
  if (!lies(1, 1)) return false;
  for (int axis = view.rank; axis-- > 2; stride *= view.dims[axis])
    if (!lies(axis, stride)) return false;
  return lies(0, stride);
}

bool is_f32(const TensorView& view) { return view.dtype == DType::kF32; }

bool are_packed_weights(const TensorView& view) {
  const bool narrow = view.dtype == DType::kF16 || view.dtype == DType::kBF16;
  return (is_f32(view) || (narrow && is_plain(view))) && view.is_dense();
}

bool is_vector(const TensorView& view, int64_t count) {
  return is_f32(view) && view.is_dense() && view.elements() == count;
}

}  // namespace kiln::cpu::kernels
