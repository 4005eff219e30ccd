// Kernel "conv_int8": convolution of bytes with signed bytes, channels last, as a product whose rows are copied to lie side by side
// unless they do. Inputs and parameters as byte_image.h has them.
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

// The inputs of each output pixel of one group: kernel rows, kernel columns, channels.
class WindowRows final : public ByteRows {
 public:
  WindowRows(const ConvShape& shape, const uint8_t* x, bool is_signed, int32_t zero)
      : s_(shape), x_(x), signed_(is_signed), zero_(static_cast<uint8_t>(is_signed ? zero + 128 : zero)) {
    channels_ = s_.in_c / s_.groups;
    terms_ = s_.kernel_h * s_.kernel_w * channels_;
    joined_ = channels_ == s_.in_c && s_.in_stride == s_.in_c && s_.dilation_w == 1;
    const bool pointwise =
        s_.kernel_h * s_.kernel_w == 1 && s_.pad_top + s_.pad_left + s_.pad_bottom + s_.pad_right == 0;
    in_place_ = pointwise && !signed_ && terms_ % 4 == 0;
  }

  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t* scratch) const noexcept override {
    const int64_t out_w = s_.out_w(), out_h = s_.out_h(), padded = int8_terms(terms_);
    int64_t x = row % out_w, y = row / out_w % out_h, image = row / out_w / out_h;
    for (int64_t i = 0; i < rows; ++i, scratch += in_place_ ? 0 : padded) {
      const uint8_t* from = x_ + image * s_.in_h * s_.in_w * s_.in_stride;
      const int64_t iy = y * s_.stride_h - s_.pad_top, ix = x * s_.stride_w - s_.pad_left;
      if (in_place_) {
        addresses[i] = from + (iy * s_.in_w + ix) * s_.in_stride;
      } else {
        copy_window(from, iy, ix, scratch);
        std::fill(scratch + terms_, scratch + padded, uint8_t{0});
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
    for (int64_t ky = 0; ky < s_.kernel_h; ++ky, to += s_.kernel_w * channels_) {
      const int64_t y = iy + ky * s_.dilation_h;
      if (y < 0 || y >= s_.in_h) std::fill(to, to + s_.kernel_w * channels_, zero_);
      else copy_line(image + y * s_.in_w * s_.in_stride, ix, to);
    }
  }

  // The kernel's inputs of one line of the image, from column `ix` on.
  void copy_line(const uint8_t* line, int64_t ix, uint8_t* to) const {
    if (joined_) {
      const int64_t begin = std::clamp<int64_t>(-ix, 0, s_.kernel_w);
      const int64_t end = std::clamp<int64_t>(s_.in_w - ix, begin, s_.kernel_w);
      std::fill(to, to + begin * channels_, zero_);
      copy(line + (ix + begin) * channels_, to + begin * channels_, (end - begin) * channels_);
      std::fill(to + end * channels_, to + s_.kernel_w * channels_, zero_);
      return;
    }
    for (int64_t kx = 0; kx < s_.kernel_w; ++kx, to += channels_) {
      const int64_t x = ix + kx * s_.dilation_w;
      if (x < 0 || x >= s_.in_w) std::fill(to, to + channels_, zero_);
      else copy(line + x * s_.in_stride, to, channels_);
    }
  }

  void copy(const uint8_t* from, uint8_t* to, int64_t count) const {
    if (signed_) shift_bytes(from, to, count);
    else std::copy(from, from + count, to);
  }

  const ConvShape& s_;
  const uint8_t* x_;
  bool signed_, joined_ = false, in_place_ = false;
  uint8_t zero_;
  int64_t channels_ = 0, terms_ = 0;
};

class ConvInt8 final : public Kernel {
 public:
  explicit ConvInt8(const Attributes& p) : parameters_(p), sums_(p) {}

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
    const SumEpilogue epilogue = sums_.bind(call);
    for (int64_t g = 0; g < shape_.groups; ++g) {
      const WindowRows left(shape_,
                            static_cast<const uint8_t*>(call.inputs[0].data) + g * (shape_.in_c / shape_.groups),
                            call.inputs[0].dtype == DType::kI8, parameters_.x_zero);
      const Int8Product product{.rows = rows(),
                                .columns = columns,
                                .terms = terms_,
                                .left = &left,
                                .packed = static_cast<const int8_t*>(call.inputs[1].data) + g * packed,
                                .out = call.outputs[0].data,
                                .out_stride = shape_.out_stride,
                                .first_column = g * columns};
      product_int8(product, epilogue, thread_count(), static_cast<uint8_t*>(call.workspace));
    }
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    return read(call).ok() ? static_cast<size_t>(int8_scratch_bytes(rows(), terms_, thread_count())) : 0;
  }

 private:
  int64_t rows() const { return shape_.batch * shape_.out_h() * shape_.out_w(); }

  Status read(const KernelCall& call) noexcept {
    KILN_RETURN_IF_ERROR(read_byte_images(parameters_, call, DType::kI8, shape_));
    const int64_t taps = shape_.kernel_h * shape_.kernel_w;  // each below 2^31
    const auto terms = checked_mul(taps, shape_.in_c / shape_.groups);
    const auto padded = terms ? checked_add(*terms, 3) : std::nullopt;
    const auto group = padded ? checked_mul(*padded / 4 * 4, int8_columns(shape_.out_c / shape_.groups)) : std::nullopt;
    const auto all = group ? checked_mul(*group, shape_.groups) : std::nullopt;
    if (!all || call.inputs[1].elements() != *all) return {Code::kShapeMismatch, "packed weights have another size"};
    terms_ = *terms;
    return kOkStatus;
  }

  ByteImageParameters parameters_;
  SumOperands sums_;
  ConvShape shape_;
  int64_t terms_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_int8(const Attributes& parameters) { return std::make_unique<ConvInt8>(parameters); }

}  // namespace kiln::cpu::kernels
