// What the convolutions and products by tiles share: checks of operands, and the copy of inputs whose channels are no whole words.
#include "backends/cuda/device/kernels/conv_call.h"

#include "backends/cuda/device/kernels/loop.h"

namespace kiln::cuda::kernels {

void plan_mma_tiles(const ConvOperands& o, int64_t groups, int64_t taps, const MmaTile& tile, bool weights_are_constant,
                    ConvTileArguments& a, Launch& launch) {
  const int64_t pieces = o.channels * o.bytes / kPiece;
  if (taps * pieces > INT32_MAX / 2 || groups > UINT16_MAX)
    throw Error(Code::kUnsupported, "a convolution has too many terms or groups for its kernel");
  a.g = o.geometry;
  a.terms = narrow(taps * o.channels);
  a.chunks = narrow(ceil_div(taps * pieces, kChunk / kPiece));
  const int64_t row_tiles = ceil_div(a.g.pixels, tile.rows), column_tiles = ceil_div(a.g.columns, tile.columns);
  a.row_tiles = divisor(row_tiles);
  a.pieces = divisor(pieces);
  a.tap_columns = divisor(a.g.taps_w);
  a.weights_are_constant = weights_are_constant;
  launch.grid = {blocks_for(row_tiles * column_tiles, 1), static_cast<unsigned>(groups), 1};
  launch.threads = static_cast<unsigned>(tile.threads());
  launch.shared = static_cast<unsigned>(tile.shared());
}

Status ConvCall::read(const KernelCall& call, ConvOperands& o) const {
  if (of_bytes() ? call.inputs.size() < 2 : call.inputs.size() != kBaseOperands && !(programs_ && has_program(call)))
    return {Code::kMalformedPlan, "a convolution has four operands, of bytes two and those of its steps"};
  if (call.outputs.size() != 1) return {Code::kMalformedPlan, "a convolution has one result"};
  o = {};
  KILN_RETURN_IF_ERROR(read_types(call, o));
  KILN_RETURN_IF_ERROR(read_images(call, o));
  const auto& w = parameters_.window;
  const int64_t groups = parameters_.groups;
  if (o.in.channels % groups != 0 || o.out.channels % groups != 0)
    return {Code::kShapeMismatch, "the groups of a convolution do not divide its channels"};
  if (o.in.batch != o.out.batch || !w.fits(0, o.in.height, o.out.height) || !w.fits(1, o.in.width, o.out.width))
    return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
  if (o.out.pixels() > INT32_MAX) return {Code::kUnsupported, "the result of a convolution has too many pixels"};
  plan_source(o);
  if (o.copies && groups > 1) return {Code::kMalformedPlan, "the channels of a group are no whole words of 16 bytes"};
  ConvGeometry& g = o.geometry;
  g.from_batch = o.in.batch_stride;
  g.from_row = o.in.row_stride;
  g.from_pixel = o.in.pixel_stride;
  g.to_pixel = o.out.pixel_stride;
  g.pixels = narrow(o.out.pixels());
  g.columns = narrow(o.out.channels / groups);
  g.out_plane = divisor(o.out.height * o.out.width);
  g.out_width = divisor(o.out.width);
  set_window(g, w, o.in, o.out);
  g.taps_h = narrow(w.kernel[0]);
  g.taps_w = narrow(w.kernel[1]);
  g.channels = narrow(o.channels);
  return of_bytes() ? kOkStatus : read_sums(call, o);
}

Status ConvCall::read_types(const KernelCall& call, ConvOperands& o) const {
  const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  o.type = w.dtype;
  o.bytes = element_bytes(w.dtype);
  if (of_bytes())
    return is_byte(x) && w.dtype == (source_ == Source::kBytes ? DType::kI8 : DType::kI16)
               ? kOkStatus
               : Status{Code::kMalformedPlan, "the operands of a convolution of bytes are of other types"};
  o.casts = source_ == Source::kAnywhereOrFloat32 && x.dtype == DType::kF32 && w.dtype != DType::kF32;
  if (!float_suffix(w.dtype) || (x.dtype != w.dtype && !o.casts) || w.dtype != y.dtype)
    return {Code::kMalformedPlan, "the operands of a convolution are all float32, all float16 or all bfloat16"};
  return kOkStatus;
}

std::optional<ImageView> ConvCall::image(const TensorView& view) const {
  return parameters_.matrix ? rows_as_image(view) : image_of(view);
}

Status ConvCall::read_images(const KernelCall& call, ConvOperands& o) const {
  const TensorView& w = call.inputs[1];
  const auto in = image(call.inputs[0]), out = image(call.outputs[0]);
  if (!in || !out || !is_plain(w) || !w.is_dense())
    return {Code::kMalformedPlan, "the operands of a convolution are no images, or no rows at equal distances"};
  if (!out->equidistant()) return {Code::kMalformedPlan, "the result of a convolution is not channels last"};
  o.in = *in;
  o.out = *out;
  return kOkStatus;
}

Status ConvCall::read_sums(const KernelCall& call, ConvOperands& o) const {
  const TensorView &bias = call.inputs[2], &residual = call.inputs[3];
  if (bias.present() &&
      (bias.dtype != DType::kF32 || !is_plain(bias) || !bias.is_dense() || bias.elements() != o.out.channels))
    return {Code::kShapeMismatch, "the bias of a convolution is one float32 for each channel"};
  const int64_t lanes = kPiece / o.bytes;
  o.results_in_words = o.out.pixel_stride % lanes == 0 && o.geometry.columns % lanes == 0;
  o.epilogue.bias_is_constant = bias.host != nullptr || !bias.present();
  o.epilogue.residual_after = parameters_.epilogue.residual_after;
  o.epilogue.activation = parameters_.epilogue.activation;
  o.epilogue.alpha = parameters_.epilogue.alpha;
  o.epilogue.beta = parameters_.epilogue.beta;
  KILN_RETURN_IF_ERROR(read_program(call, o.out.channels, o.epilogue));
  KILN_RETURN_IF_ERROR(read_residual(call, residual, o, o.epilogue.residual_stride));
  const TensorView* second = second_residual(call);
  return second ? read_residual(call, *second, o, o.epilogue.second_stride) : kOkStatus;
}

Status ConvCall::read_residual(const KernelCall& call, const TensorView& residual, ConvOperands& o,
                               int64_t& stride) const {
  if (!residual.present()) return kOkStatus;
  const auto r = image(residual);
  if (!r || residual.dtype != o.type || !r->equidistant() || !same_dims(residual, call.outputs[0]))
    return {Code::kShapeMismatch, "the sum of a convolution has another shape, type or layout"};
  stride = r->pixel_stride;
  o.results_in_words = o.results_in_words && r->pixel_stride % (kPiece / o.bytes) == 0;
  return kOkStatus;
}

void ConvCall::plan_source(ConvOperands& o) const {
  o.channels = o.in.channels / parameters_.groups;
  if (source_ != Source::kPieces && source_ != Source::kBytes) return;
  const int64_t lanes = kPiece / o.bytes;
  const auto whole = [lanes](int64_t n) { return n % lanes == 0; };
  o.copies = !(o.in.adjacent_channels() && whole(o.channels) && whole(o.in.pixel_stride) && whole(o.in.row_stride) &&
               whole(o.in.batch_stride));
  if (o.copies && parameters_.groups == 1) plan_copy(o);
}

void ConvCall::plan_copy(ConvOperands& o) const {
  const int64_t padded = padded_channels(o.channels, o.bytes), pixels = o.in.pixels();
  if (pixels > INT32_MAX / std::max<int64_t>(padded, 1))
    throw Error(Code::kUnsupported, "the operand of a convolution has too many elements to be copied");
  const Loop loop = {{o.in.batch, o.in.height, o.in.width}, {{o.in.batch_stride, o.in.row_stride, o.in.pixel_stride}}};
  o.pad.pixels = walk_of<1>(loop);
  o.pad.channel_stride = o.in.channel_stride;
  o.pad.channels = narrow(o.channels);
  o.pad.padded = divisor(padded);
  o.copied_bytes = static_cast<size_t>(pixels * padded * o.bytes);
  o.copy.function = gpu_.function("conv_mma", "pad_channels_" + std::to_string(o.bytes));
  o.copy.threads = kPadThreads;
  o.copy.grid[0] = blocks_for(pixels * padded, kPadThreads);
  o.channels = padded;
  o.in.channels = padded;
  o.in.channel_stride = 1;
  o.in.pixel_stride = padded;
  o.in.row_stride = padded * o.in.width;
  o.in.batch_stride = o.in.row_stride * o.in.height;
}

size_t ConvCall::workspace(const KernelCall& call) const noexcept {
  if (source_ != Source::kPieces && source_ != Source::kBytes) return 0;
  size_t wanted = kNoWorkspace;
  (void)guarded([&]() -> Status {
    ConvOperands o;
    if (call.inputs.size() < 2 || call.outputs.size() != 1) return {Code::kMalformedPlan, "operands are missing"};
    KILN_RETURN_IF_ERROR(read_types(call, o));
    const auto in = image(call.inputs[0]);
    if (!in) return {Code::kMalformedPlan, "x is no image"};
    o.in = *in;
    plan_source(o);
    wanted = o.copied_bytes;
    return kOkStatus;
  });
  return wanted;
}

Status ConvCall::source(Stream& stream, const ConvOperands& o, const KernelCall& call, const void*& x) const noexcept {
  x = call.inputs[0].data;
  if (!is_aligned(call.inputs[1].data, kPiece))
    return {Code::kInvalidArgument, "the weights of a convolution do not lie at a multiple of 16 bytes"};
  if (!o.copies)
    return is_aligned(x, kPiece) ? kOkStatus
                                 : Status{Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
  if (call.workspace_size < o.copied_bytes)
    return {Code::kMalformedPlan, "the workspace of a convolution is too small"};
  KILN_RETURN_IF_ERROR(gpu_.launch(stream, o.copy, o.pad, x, call.workspace));
  x = call.workspace;
  return kOkStatus;
}

Status ConvCall::place_epilogue(const ConvOperands& o, const KernelCall& call, EpilogueArguments& e) const noexcept {
  e = epilogue(o, call);
  KILN_RETURN_IF_ERROR(bind_program(call, e));
  e.in_words = e.in_words && is_aligned(e.second, kPiece);
  return kOkStatus;
}

EpilogueArguments ConvCall::epilogue(const ConvOperands& o, const KernelCall& call) const noexcept {
  EpilogueArguments e = o.epilogue;
  e.bias = static_cast<const float*>(call.inputs[2].data);
  e.residual = call.inputs[3].data;
  e.in_words = o.results_in_words && is_aligned(call.outputs[0].data, kPiece) && is_aligned(e.residual, kPiece);
  return e;
}

}  // namespace kiln::cuda::kernels
