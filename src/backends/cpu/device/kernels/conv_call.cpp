// What the convolutions share: checks of operands, and the copy of inputs whose channels are not adjacent.
#include "backends/cpu/device/kernels/conv_call.h"

#include "backends/cpu/device/compute/parallel.h"
#include "base/checked.h"

namespace kiln::cpu::kernels {

namespace {

// Whether the weights hold at least as many elements as the sizes ask for, so that no product of sizes can wrap.
bool weights_suffice(const ConvShape& s, const TensorView& weights) {
  constexpr int64_t kMostTaps = int64_t{1} << 31;
  const int64_t taps = s.kernel_h * s.kernel_w;
  const auto terms = checked_mul(taps, s.in_c / s.groups);
  const auto floats = terms ? checked_mul(*terms, s.out_c) : std::nullopt;
  return taps <= kMostTaps && floats && *floats <= weights.elements();
}

}  // namespace

Status read_operands(const ConvParameters& p, const KernelCall& call, ConvOperands& o, bool narrow,
                     DType type) noexcept {
  if (call.inputs.size() != 4 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "a convolution has four operands"};
  const TensorView &x = call.inputs[0], &w = call.inputs[1], &bias = call.inputs[2], &residual = call.inputs[3],
                   &y = call.outputs[0];
  const auto in = image_of(x), out = image_of(y);
  if (!in || !out || x.dtype != type || y.dtype != type || !are_packed_weights(w) || !(narrow || is_f32(w)))
    return {Code::kMalformedPlan, "operands of a convolution are not images of its type"};
  if (!out->equidistant) return {Code::kMalformedPlan, "the result of a convolution is not channels last"};
  if (!p.window.fits(0, in->height, out->height) || !p.window.fits(1, in->width, out->width))
    return {Code::kShapeMismatch, "the result of a convolution has another size"};
  o.in = *in;
  o.out = *out;
  o.shape = conv_shape(p.window, p.groups, *in, *out);
  o.copy_input = !in->equidistant;
  if (in->equidistant) o.shape.in_stride = in->pixel_stride;
  o.shape.out_stride = out->pixel_stride;
  const ConvShape& s = o.shape;
  if (s.in_c % p.groups != 0 || s.out_c % p.groups != 0 || out->batch != in->batch || s.out_h() != out->height ||
      s.out_w() != out->width)
    return {Code::kShapeMismatch, "operands of a convolution do not fit each other"};
  if (!weights_suffice(s, w)) return {Code::kShapeMismatch, "packed weights have another size"};
  if (bias.present() && !is_vector(bias, s.out_c))
    return {Code::kShapeMismatch, "the bias of a convolution has another size"};
  return read_residual(residual, *out, o.residual_stride, type);
}

Status read_residual(const TensorView& residual, const ImageView& out, int64_t& stride, DType type) noexcept {
  if (!residual.present()) return kOkStatus;
  const auto r = image_of(residual);
  if (!r || residual.dtype != type || !r->equidistant || r->batch != out.batch || r->channels != out.channels ||
      r->height != out.height || r->width != out.width)
    return {Code::kShapeMismatch, "the sum of a convolution has another shape or layout"};
  stride = r->pixel_stride;
  return kOkStatus;
}

Epilogue epilogue_of(const ConvParameters& p, const ConvOperands& o, const KernelCall& call) {
  return make_epilogue(p.epilogue, call.inputs[2], call.inputs[3], o.residual_stride);
}

void copy_to_channels_last(const ImageView& x, const float* from, float* to, int threads) noexcept {
  const int64_t rows = x.batch * x.height, row_floats = x.width * x.channels;
  const double nanoseconds = static_cast<double>(rows) * static_cast<double>(row_floats) * 0.5;
  parallel_ranges(useful_threads(threads, nanoseconds), rows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* line = from + row / x.height * x.image_stride + row % x.height * x.row_stride;
      float* out = to + row * row_floats;
      for (int64_t i = 0; i < x.width; ++i)
        for (int64_t c = 0; c < x.channels; ++c)
          out[i * x.channels + c] = line[i * x.pixel_stride + c * x.channel_stride];
    }
  });
}

}  // namespace kiln::cpu::kernels
