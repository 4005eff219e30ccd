// Kernel "conv_int8": convolution of bytes with signed bytes, channels last, as a product whose rows are copied to lie side by side
// unless they do; in tiles (`tiles`) they are read in pieces where they lie, in an image that has its padding. Inputs and parameters as
// byte_image.h has them; `parts`: the weights are the sum of so many, packed below one another.
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/padded_windows.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/tiles.h"
#include "backends/cpu/device/kernels/window_rows.h"

namespace kiln::cpu::kernels {
namespace {

class ConvInt8 final : public Kernel {
 public:
  explicit ConvInt8(const ConvInt8Parameters& p)
      : parameters_(p), x_zero_(p.x_zero), parts_(p.parts), bytes_(p.tiles.value_or(false)), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      KILN_RETURN_IF_ERROR(check_tiles(bytes_.in_tiles()));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a convolution of bytes is too small"};
      pieces_.clear();
      if (in_pieces_ && rows() > 0) pieces_ = piece_offsets(shape_, line_bytes(), shape_.in_c);
      return sums_.prepare(call, 2, rows(), shape_.out_c, pixels_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const int64_t columns = shape_.out_c / shape_.groups, packed = packed_int8_bytes(terms_, columns);
    const bool is_signed = call.inputs[0].dtype == DType::kI8;
    const int32_t zero = sums_.zero_point(call, x_zero_);
    auto* space = static_cast<std::byte*>(call.workspace);
    const SumEpilogue epilogue = sums_.bind(call, bytes_.shift(is_signed), space);
    auto* scratch = reinterpret_cast<uint8_t*>(space + SumOperands::space(call, 2, shape_.out_c));
    const auto* x = static_cast<const uint8_t*>(call.inputs[0].data);
    if (in_pieces_ && !reads_x()) make_image(x, bytes_.flips(is_signed), zero, scratch);
    const uint8_t* image = reads_x() ? x : scratch;
    const WindowOrder order = this->order();
    for (int64_t g = 0; g < shape_.groups; ++g) {
      const int64_t first = g * (shape_.in_c / shape_.groups);
      const bool flips = bytes_.flips(is_signed);
      const WindowRows copied(shape_, x + first, parts_, flips, byte_padding(zero, flips));
      const PaddedWindows padded(shape_, order.width, image + first, lines() * line_bytes(), line_bytes(), shape_.in_c);
      const Int8Product product{.rows = order.rows,
                                .columns = columns,
                                .terms = terms_,
                                .left = in_pieces_ ? static_cast<const ByteRows*>(&padded) : &copied,
                                .pieces = pieces_,
                                .run = order.run,
                                .period = order.period,
                                .kind = bytes_.kind(is_signed, copied.in_place()),
                                .in_tiles = bytes_.in_tiles(),
                                .packed = static_cast<const int8_t*>(call.inputs[1].data) + g * packed,
                                .out = call.outputs[0].data,
                                .out_stride = shape_.out_stride,
                                .first_column = g * columns};
      product_int8(product, epilogue, thread_count(), scratch + image_bytes_);
    }
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    if (shape_.out_c == 0) return 0;  // whatever the weights have of terms
    return SumOperands::space(call, 2, shape_.out_c) +
           static_cast<size_t>(image_bytes_ +
                               int8_scratch_bytes(order().rows, terms_, bytes_.in_tiles(), thread_count()));
  }

 private:
  int64_t rows() const { return shape_.windows(); }
  WindowOrder order() const {
    WindowOrder order(shape_, in_pieces_);
    if (!in_pieces_) order.rows = rows();
    return order;
  }
  // Windows of more than a pixel, or with padding, are read in pieces; those of volumes are not.
  bool takes_pieces() const {
    return !parameters_.depth.depth && bytes_.in_tiles() && parts_ == 1 && (!is_one_tap(shape_) || is_padded(shape_)) &&
           shape_.in_c > 0;
  }
  // The image with its padding is x itself.
  bool reads_x() const { return !is_padded(shape_) && shape_.in_stride == shape_.in_c; }
  int64_t lines() const { return shape_.in_h + shape_.pad_top + shape_.pad_bottom; }
  int64_t width() const { return shape_.in_w + shape_.pad_left + shape_.pad_right; }
  int64_t line_bytes() const { return width() * shape_.in_c; }

  void make_image(const uint8_t* x, bool flips, int32_t zero, uint8_t* to) const noexcept {
    const int64_t channels = shape_.in_c, all = lines(), line = line_bytes(), left = shape_.pad_left * channels;
    const auto padding = static_cast<uint8_t>(flips ? zero + 128 : zero);
    const double nanoseconds = static_cast<double>(shape_.batch * all) * static_cast<double>(line) * 0.03;
    parallel_ranges(useful_threads(thread_count(), nanoseconds), shape_.batch * all, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        uint8_t* out = to + i * line;
        const int64_t y = i % all - shape_.pad_top, inner = shape_.in_w * channels;
        if (y < 0 || y >= shape_.in_h) {
          std::fill_n(out, line, padding);
          continue;
        }
        std::fill_n(out, left, padding);
        const uint8_t* from = x + (i / all * shape_.in_h + y) * shape_.in_w * shape_.in_stride;
        if (shape_.in_stride == channels) copy_byte_lines(from, inner, out + left, inner, 1, inner, flips);
        else copy_byte_lines(from, shape_.in_stride, out + left, channels, shape_.in_w, channels, flips);
        std::fill(out + left + inner, out + line, padding);
      }
    });
  }

  Status read(const KernelCall& call) noexcept {
    KILN_RETURN_IF_ERROR(read_byte_images(parameters_, call, shape_));
    const int64_t plane = shape_.kernel_h * shape_.kernel_w;  // each below 2^31
    const auto taps = checked_mul(plane, shape_.kernel_d);
    const auto part = taps ? checked_mul(*taps, shape_.in_c / shape_.groups) : std::nullopt;
    const auto terms = part ? checked_mul(*part, parts_) : std::nullopt;
    const auto padded = terms ? checked_add(*terms, 3) : std::nullopt;
    const auto group = padded ? checked_mul(*padded / 4 * 4, int8_columns(shape_.out_c / shape_.groups)) : std::nullopt;
    const auto all = group ? checked_mul(*group, shape_.groups) : std::nullopt;
    if (!all || call.inputs[1].elements() != *all) return {Code::kShapeMismatch, "packed weights have another size"};
    terms_ = *terms;
    in_pieces_ = takes_pieces();
    image_bytes_ = 0;
    if (!in_pieces_ || reads_x()) return kOkStatus;
    const auto line = checked_mul(width(), shape_.in_c);
    const auto image = line ? checked_mul(*line, lines()) : std::nullopt;
    const auto images = image ? checked_mul(*image, shape_.batch) : std::nullopt;
    const auto most = images ? checked_add(*images, 63) : std::nullopt;
    if (!most) return {Code::kOverflow, "the padded image of a convolution of bytes has too many bytes"};
    image_bytes_ = *most / 64 * 64;
    return kOkStatus;
  }

  ConvInt8Parameters parameters_;
  int32_t x_zero_;
  int64_t parts_;
  RowsOfBytes bytes_;
  SumOperands sums_;
  VolumeShape shape_;
  int64_t terms_ = 0;  // of all parts
  bool in_pieces_ = false;
  std::vector<int64_t> pieces_;
  int64_t image_bytes_ = 0;  // of the image with its padding, where it is not x
};

}  // namespace

std::unique_ptr<Kernel> make_conv_int8(const Attributes& parameters) {
  return std::make_unique<ConvInt8>(read_parameters<ConvInt8Parameters>(parameters));
}

}  // namespace kiln::cpu::kernels
