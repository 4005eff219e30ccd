// Tensors as images.
#include "backends/cuda/device/kernels/image.h"

#include <algorithm>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/loop.h"

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
  const Dims dims(v.dims, v.dims + v.rank - 1), strides(v.strides, v.strides + v.rank - 1);
  Loop rows = merged({dims, {strides}});
  if (rows.count() == 0) rows = {{0}, {{v.dims[v.rank - 1]}}};
  ImageView image;
  image.channels = v.dims[v.rank - 1];
  image.channel_stride = v.strides[v.rank - 1];
  if (rows.dims.size() > 1 || rows.count() > INT32_MAX || image.channels > INT32_MAX) return std::nullopt;
  image.width = rows.count();
  image.pixel_stride = rows.dims.empty() ? image.channels : rows.strides[0][0];
  image.row_stride = image.batch_stride = image.pixel_stride * image.width;
  return image;
}

}  // namespace kiln::cuda::kernels
