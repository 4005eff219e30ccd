// Kernel "conv_int8": convolution of bytes with signed bytes, channels last, as a product whose rows are copied to lie side by side
// unless they do. Inputs and parameters as byte_image.h has them; `parts`: the weights are the sum of so many, packed below one another.
#include "backends/cpu/device/compute/nhwc.h"
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

// The inputs of each output pixel of one group: kernel rows, kernel columns, channels.
class WindowRows final : public ByteRows {
 public:
  WindowRows(const ConvShape& shape, const uint8_t* x, int64_t parts, bool is_signed, int32_t zero)
      : s_(shape),
        x_(x),
        parts_(parts),
        signed_(is_signed),
        zero_(static_cast<uint8_t>(is_signed ? zero + 128 : zero)) {
    channels_ = s_.in_c / s_.groups;
    terms_ = s_.kernel_h * s_.kernel_w * channels_;
    joined_ = channels_ == s_.in_c && s_.in_stride == s_.in_c && s_.dilation_w == 1;
    const bool pointwise =
        s_.kernel_h * s_.kernel_w == 1 && s_.pad_top + s_.pad_left + s_.pad_bottom + s_.pad_right == 0;
    in_place_ = pointwise && terms_ % 4 == 0 && parts_ == 1;
    flat_ = pointwise && !in_place_ && parts_ == 1 && s_.stride_h == 1 && s_.stride_w == 1;
  }

  // Rows that are read where they lie hold signed bytes when x does.
  bool in_place() const { return in_place_; }

  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t* scratch) const noexcept override {
    const int64_t out_w = s_.out_w(), out_h = s_.out_h(), padded = int8_terms(terms_ * parts_);
    if (flat_) copy_byte_lines(x_ + row * s_.in_stride, s_.in_stride, scratch, padded, rows, terms_, signed_);
    int64_t x = row % out_w, y = row / out_w % out_h, image = row / out_w / out_h;
    for (int64_t i = 0; i < rows; ++i, scratch += in_place_ ? 0 : padded) {
      const uint8_t* from = x_ + image * s_.in_h * s_.in_w * s_.in_stride;
      const int64_t iy = y * s_.stride_h - s_.pad_top, ix = x * s_.stride_w - s_.pad_left;
      if (in_place_) {
        addresses[i] = from + (iy * s_.in_w + ix) * s_.in_stride;
      } else {
        if (!flat_) copy_window(from, iy, ix, scratch);
        for (int64_t part = 1; part < parts_; ++part) std::copy(scratch, scratch + terms_, scratch + part * terms_);
        std::fill(scratch + terms_ * parts_, scratch + padded, uint8_t{0});
        addresses[i] = scratch;
      }
      if (++x < out_w) continue;
      x = 0;
      if (++y < out_h) continue;
      y = 0;
      ++image;
    }
  }

 private:
  void copy_window(const uint8_t* image, int64_t iy, int64_t ix, uint8_t* to) const {
    const int64_t run = s_.kernel_w * channels_, line = s_.in_w * s_.in_stride;
    const Taps rows = inner_taps(iy, s_.kernel_h, s_.dilation_h, s_.in_h);
    const Taps columns = inner_taps(ix, s_.kernel_w, s_.dilation_w, s_.in_w);
    const bool whole = rows.end - rows.begin == s_.kernel_h && columns.end - columns.begin == s_.kernel_w;
    if (!whole) std::fill(to, to + s_.kernel_h * run, zero_);
    const int64_t lines = rows.end - rows.begin, taps = columns.end - columns.begin;
    if (lines <= 0 || taps <= 0) return;
    const uint8_t* from =
        image + (iy + rows.begin * s_.dilation_h) * line + (ix + columns.begin * s_.dilation_w) * s_.in_stride;
    to += rows.begin * run + columns.begin * channels_;
    if (joined_) return copy_byte_lines(from, s_.dilation_h * line, to, run, lines, taps * channels_, signed_);
    for (int64_t ky = 0; ky < lines; ++ky)
      copy_byte_lines(from + ky * s_.dilation_h * line, s_.dilation_w * s_.in_stride, to + ky * run, channels_, taps,
                      channels_, signed_);
  }

  const ConvShape& s_;
  const uint8_t* x_;
  int64_t parts_;
  bool signed_, joined_ = false;
  bool in_place_ = false;  // rows are read where they lie
  bool flat_ = false;      // rows are neighbouring pixels
  uint8_t zero_;
  int64_t channels_ = 0, terms_ = 0;
};

class ConvInt8 final : public Kernel {
 public:
  explicit ConvInt8(const Attributes& p) : parameters_(p), parts_(read_integer(p, "parts", 1, 3)), sums_(p) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a convolution of bytes is too small"};
      return sums_.prepare(call, 2, rows(), shape_.out_c, pixels_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const int64_t columns = shape_.out_c / shape_.groups, packed = packed_int8_bytes(terms_, columns);
    const bool is_signed = call.inputs[0].dtype == DType::kI8;
    const int32_t zero = sums_.zero_point(call, parameters_.x_zero);
    auto* space = static_cast<std::byte*>(call.workspace);
    const SumEpilogue epilogue = sums_.bind(call, is_signed ? 128 : 0, space);
    auto* scratch = reinterpret_cast<uint8_t*>(space + SumOperands::space(call, 2, shape_.out_c));
    for (int64_t g = 0; g < shape_.groups; ++g) {
      const WindowRows left(shape_,
                            static_cast<const uint8_t*>(call.inputs[0].data) + g * (shape_.in_c / shape_.groups),
                            parts_, is_signed, zero);
      const Int8Product product{.rows = rows(),
                                .columns = columns,
                                .terms = terms_,
                                .left = &left,
                                .kind = is_signed && left.in_place() ? Int8Product::kFlipped : Int8Product::kUnsigned,
                                .packed = static_cast<const int8_t*>(call.inputs[1].data) + g * packed,
                                .out = call.outputs[0].data,
                                .out_stride = shape_.out_stride,
                                .first_column = g * columns};
      product_int8(product, epilogue, thread_count(), scratch);
    }
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return SumOperands::space(call, 2, shape_.out_c) +
           static_cast<size_t>(int8_scratch_bytes(rows(), terms_, thread_count()));
  }

 private:
  int64_t rows() const { return shape_.batch * shape_.out_h() * shape_.out_w(); }

  Status read(const KernelCall& call) noexcept {
    KILN_RETURN_IF_ERROR(read_byte_images(parameters_, call, DType::kI8, shape_));
    const int64_t taps = shape_.kernel_h * shape_.kernel_w;  // each below 2^31
    const auto part = checked_mul(taps, shape_.in_c / shape_.groups);
    const auto terms = part ? checked_mul(*part, parts_) : std::nullopt;
    const auto padded = terms ? checked_add(*terms, 3) : std::nullopt;
    const auto group = padded ? checked_mul(*padded / 4 * 4, int8_columns(shape_.out_c / shape_.groups)) : std::nullopt;
    const auto all = group ? checked_mul(*group, shape_.groups) : std::nullopt;
    if (!all || call.inputs[1].elements() != *all) return {Code::kShapeMismatch, "packed weights have another size"};
    terms_ = *terms;
    return kOkStatus;
  }

  ByteImageParameters parameters_;
  int64_t parts_;
  SumOperands sums_;
  ConvShape shape_;
  int64_t terms_ = 0;  // of all parts
};

}  // namespace

std::unique_ptr<Kernel> make_conv_int8(const Attributes& parameters) { return std::make_unique<ConvInt8>(parameters); }

}  // namespace kiln::cpu::kernels
