// Tensors as images.
#include "backends/cuda/device/kernels/image.h"

#include <algorithm>

#include "backends/cuda/device/kernels/common.h"
#include "base/checked.h"

namespace kiln::cuda::kernels {

std::optional<ImageView> image_of(const TensorView& view) {
  if (!is_plain(view) || (view.rank != 3 && view.rank != 4)) return std::nullopt;
  const int64_t *d = view.dims, *s = view.strides;
  if (std::any_of(d, d + view.rank, [](int64_t n) { return n > INT32_MAX; })) return std::nullopt;
  ImageView image;
  image.batch = d[0];
  image.channels = d[1];
  image.height = view.rank == 4 ? d[2] : 1;
  image.width = d[view.rank - 1];
  image.batch_stride = s[0];
  image.channel_stride = s[1];
  image.pixel_stride = s[view.rank - 1];
  image.row_stride = view.rank == 4 ? s[2] : image.pixel_stride * image.width;
  // Strides of axes of one element mean nothing: they are taken as those of an image without gaps.
  if (image.width == 1)
    image.pixel_stride =
        image.height == 1 ? (image.batch == 1 ? image.channels : image.batch_stride) : image.row_stride;
  if (image.height == 1) image.row_stride = image.pixel_stride * image.width;
  if (image.batch == 1) image.batch_stride = image.row_stride * image.height;
  return image;
}

bool ImageView::equidistant() const {
  return adjacent_channels() && pixel_stride >= channels && row_stride == pixel_stride * width &&
         batch_stride == row_stride * height;
}

std::optional<ImageView> rows_as_image(const TensorView& v) {
  if (!is_plain(v) || v.rank < 1) return std::nullopt;
  const int last = v.rank - 1;
  ImageView image;
  image.channels = image.pixel_stride = v.dims[last];
  image.channel_stride = v.strides[last];
  const bool empty = std::find(v.dims, v.dims + last, 0) != v.dims + last;
  image.width = empty ? 0 : 1;
  for (int axis = last - 1; axis >= 0 && !empty; --axis) {
    if (v.dims[axis] == 1) continue;
    if (image.width == 1) image.pixel_stride = v.strides[axis];
    else if (checked_mul(image.pixel_stride, image.width) != v.strides[axis]) return std::nullopt;
    if (v.dims[axis] > INT32_MAX / image.width) return std::nullopt;
    image.width *= v.dims[axis];
  }
  if (image.channels > INT32_MAX) return std::nullopt;
  image.row_stride = image.batch_stride = image.pixel_stride * image.width;
  return image;
}

}  // namespace kiln::cuda::kernels
