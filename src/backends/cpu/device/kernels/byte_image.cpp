// What the convolutions of bytes share: checks of their operands.
#include "backends/cpu/device/kernels/byte_image.h"

#include "backends/cpu/device/kernels/integer_result.h"

namespace kiln::cpu::kernels {
namespace {

Status read_images(const SlidingWindow& window, int64_t groups, const ImageView& in, const ImageView& out,
                   ConvShape& shape) noexcept {
  if (!window.fits(0, in.height, out.height) || !window.fits(1, in.width, out.width))
    return {Code::kShapeMismatch, "the result of a convolution has another size"};
  shape = conv_shape(window, groups, in, out);
  shape.in_stride = in.pixel_stride;
  shape.out_stride = out.pixel_stride;
  if (shape.in_c % groups != 0 || shape.out_c % groups != 0 || shape.out_h() != out.height ||
      shape.out_w() != out.width)
    return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
  return kOkStatus;
}

// `depth` as DepthParameters has it.
Status read_volumes(const GroupedWindow& p, const Ints& depth, const KernelCall& call, VolumeShape& shape) noexcept {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  const auto in = slices_of(x), out = slices_of(y);
  if (!in || !out) return {Code::kMalformedPlan, "the operands of a convolution are no channels-last volumes"};
  const SlidingWindow window{.kernel = {depth[0], 1},
                             .stride = {depth[1], 1},
                             .dilation = {depth[2], 1},
                             .begin = {depth[3], 0},
                             .end = {depth[4], 0},
                             .padding = p.window.padding};
  if (!window.fits(0, x.dims[2], y.dims[2]))
    return {Code::kShapeMismatch, "the result of a convolution has another size"};
  KILN_RETURN_IF_ERROR(read_images(p.window, p.groups, *in, *out, shape));
  shape.batch = x.dims[0];
  shape.in_d = x.dims[2];
  shape.kernel_d = depth[0];
  shape.stride_d = depth[1];
  shape.dilation_d = depth[2];
  std::tie(shape.pad_front, shape.pad_back) = window.pads(0, x.dims[2], y.dims[2]);
  if (y.dims[0] != x.dims[0] || shape.out_d() != y.dims[2])
    return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
  return kOkStatus;
}

}  // namespace

Status read_byte_images(const ConvInt8Parameters& p, const KernelCall& call, VolumeShape& shape) noexcept {
  if (call.inputs.size() < 3 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "a convolution of bytes has three operands or more"};
  const TensorView& w = call.inputs[1];
  if (!is_byte(call.inputs[0]) || w.dtype != DType::kI8 || !w.is_dense())
    return {Code::kMalformedPlan, "the operands of a convolution of bytes have other types"};
  return read_windows(p.image, p.depth, call, shape);
}

Status read_windows(const GroupedWindow& image, const DepthParameters& depth, const KernelCall& call,
                    VolumeShape& shape) noexcept {
  return depth.depth ? read_volumes(image, *depth.depth, call, shape)
                     : read_windows(image.window, image.groups, call, shape);
}

Status read_windows(const SlidingWindow& window, int64_t groups, const KernelCall& call, ConvShape& shape) noexcept {
  const auto in = image_of(call.inputs[0]), out = image_of(call.outputs[0]);
  if (!in || !out || !in->equidistant || !out->equidistant)
    return {Code::kMalformedPlan, "the operands of a convolution are no channels-last images"};
  if (in->batch != out->batch) return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
  return read_images(window, groups, *in, *out, shape);
}

std::optional<ImageView> slices_of(const TensorView& volume) {
  const auto pixels = volume.rank == 5 ? pixels_of(volume) : std::nullopt;
  if (!pixels) return std::nullopt;
  ImageView image;
  image.batch = volume.dims[0] * volume.dims[2];
  image.channels = volume.dims[1];
  image.height = volume.dims[3];
  image.width = volume.dims[4];
  image.channel_stride = 1;
  image.pixel_stride = pixels->stride;
  image.row_stride = image.pixel_stride * image.width;
  image.image_stride = image.row_stride * image.height;
  image.equidistant = true;
  return image;
}

std::optional<RowsView> pixels_of(const TensorView& view) {
  constexpr int kAxes[] = {0, 2, 3, 4};
  if (view.rank < 3 || view.rank > 5) return std::nullopt;
  return rows_of(view, std::span(kAxes).first(static_cast<size_t>(view.rank - 1)), 1);
}

}  // namespace kiln::cpu::kernels
