// What the convolutions of bytes share: checks of their operands.
#include "backends/cpu/device/kernels/byte_image.h"

#include "backends/cpu/device/kernels/integer_result.h"

namespace kiln::cpu::kernels {

Status read_byte_images(const GroupedWindow& p, const KernelCall& call, DType weights, ConvShape& shape) noexcept {
  if (call.inputs.size() < 3 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "a convolution of bytes has three operands or more"};
  const TensorView& w = call.inputs[1];
  if (!is_byte(call.inputs[0]) || w.dtype != weights || !w.is_dense())
    return {Code::kMalformedPlan, "the operands of a convolution of bytes have other types"};
  return read_windows(p.window, p.groups, call, shape);
}

Status read_windows(const SlidingWindow& window, int64_t groups, const KernelCall& call, ConvShape& shape) noexcept {
  const auto in = image_of(call.inputs[0]), out = image_of(call.outputs[0]);
  if (!in || !out || !in->equidistant || !out->equidistant)
    return {Code::kMalformedPlan, "the operands of a convolution are no channels-last images"};
  if (!window.fits(0, in->height, out->height) || !window.fits(1, in->width, out->width))
    return {Code::kShapeMismatch, "the result of a convolution has another size"};
  shape = conv_shape(window, groups, *in, *out);
  shape.in_stride = in->pixel_stride;
  shape.out_stride = out->pixel_stride;
  if (shape.in_c % groups != 0 || shape.out_c % groups != 0 || in->batch != out->batch ||
      shape.out_h() != out->height || shape.out_w() != out->width)
    return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
  return kOkStatus;
}

std::optional<RowsView> pixels_of(const TensorView& view) {
  const auto image = image_of(view);
  if (!image || !image->equidistant) return std::nullopt;
  return RowsView{image->batch * image->height * image->width, image->channels, image->pixel_stride};
}

}  // namespace kiln::cpu::kernels
