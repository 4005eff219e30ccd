// Kernel "conv_bfloat16": convolution with packed bfloat16, channels last, sums in float32. x is bfloat16, read where it lies or copied with
// its padding where the terms of a window are read in place; or float32 that is rounded: pixel by pixel where windows are pixels, else as a
// whole before. Inputs: x, packed weights, then what SumOperands has, whose first three are absent. Parameters: window and groups; `tiles`: the
// processor's unit for them multiplies; `even`: where x has an odd number of channels the image has one more, of zeros, so that pieces end with
// words.
#include <cstring>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/padded_windows.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/rounded_rows.h"
#include "backends/cpu/device/kernels/tiles.h"
#include "backends/cpu/device/kernels/window_rows.h"

namespace kiln::cpu::kernels {
namespace {

// The pixels that a convolution of one tap reads, rounded.
class RoundedPixels final : public ByteRows {
 public:
  RoundedPixels(const ConvShape& shape, const float* x) : s_(shape), x_(x) {}
  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t* scratch) const noexcept override {
    const int64_t padded = int8_terms(s_.in_c * kBfloat16Bytes);
    each_window(s_, s_.out_w(), row, rows, [&](int64_t i, int64_t image, int64_t top, int64_t left) {
      const int64_t pixel = (image * s_.in_h + top) * s_.in_w + left;
      addresses[i] = scratch + i * padded;
      round_row(x_ + pixel * s_.in_stride, s_.in_c, scratch + i * padded);
    });
  }

 private:
  const ConvShape& s_;
  const float* x_;
};

class ConvBfloat16 final : public Kernel {
 public:
  explicit ConvBfloat16(const ConvBfloat16Parameters& p)
      : window_(p.image.window),
        groups_(p.image.groups),
        in_tiles_(p.tiles.value_or(false)),
        even_(p.even.value_or(false)),
        sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      KILN_RETURN_IF_ERROR(check_tiles(in_tiles_));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a convolution of bfloat16 is too small"};
      pieces_.clear();
      if (way_ == kInPlace && rows() > 0) pieces_ = piece_offsets(shape_, line_bytes(), shape_.in_c * kBfloat16Bytes);
      return sums_.prepare(call, 2, rows(), shape_.out_c, pixels_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const void* x = call.inputs[0].data;
    auto* space = static_cast<uint8_t*>(call.workspace);
    const SumEpilogue epilogue = sums_.bind(call, 0, nullptr);
    if (way_ == kPixels) {
      multiply(call, RoundedPixels(shape_, static_cast<const float*>(x)), epilogue, 0, space);
      return kOkStatus;
    }
    if (!reads_x()) make_image(x, reinterpret_cast<uint16_t*>(space));
    const uint8_t* image = reads_x() ? static_cast<const uint8_t*>(x) : space;
    const VolumeShape bytes = in_bytes();
    for (int64_t g = 0; g < groups_; ++g) {
      const uint8_t* channels = image + g * (bytes.in_c / groups_);
      if (way_ == kInPlace)
        multiply(call, PaddedWindows(shape_, order().width, channels, lines() * line_bytes(), line_bytes(), bytes.in_c),
                 epilogue, g, space + image_bytes_);
      else multiply(call, WindowRows(bytes, channels, 1, false, 0), epilogue, g, space + image_bytes_);
    }
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    const int64_t located =
        way_ == kInPlace && !in_tiles_ ? 0 : int8_scratch_bytes(order().rows, terms_, in_tiles_, thread_count());
    return static_cast<size_t>(image_bytes_ + located);
  }

 private:
  // How the rows of the product are found: pixels of x that are rounded; windows of the image, read in place or copied.
  enum Way { kPixels, kInPlace, kCopied };

  int64_t rows() const { return shape_.batch * shape_.out_h() * shape_.out_w(); }
  WindowOrder order() const { return {shape_, in_tiles_ && way_ == kInPlace}; }
  Way way() const {
    if (is_one_tap(shape_) && groups_ == 1 && !is_padded(shape_)) return narrow_ ? kCopied : kPixels;
    const int64_t piece = piece_bytes(shape_, kBfloat16Bytes);
    return piece > 0 && (in_tiles_ || piece % 4 == 0) ? kInPlace : kCopied;
  }

  // The image is x itself: windows that are copied pad themselves.
  bool reads_x() const {
    return narrow_ && given_c_ == shape_.in_c &&
           (way_ == kCopied || (!is_padded(shape_) && shape_.in_stride == shape_.in_c));
  }

  // Of the image.
  int64_t lines() const { return shape_.in_h + (way_ == kInPlace ? shape_.pad_top + shape_.pad_bottom : 0); }
  int64_t width() const { return shape_.in_w + (way_ == kInPlace ? shape_.pad_left + shape_.pad_right : 0); }
  int64_t line_bytes() const { return width() * shape_.in_c * kBfloat16Bytes; }
  // The image without padding.
  VolumeShape in_bytes() const {
    VolumeShape s{shape_};
    s.in_c *= kBfloat16Bytes;
    s.in_stride = reads_x() ? shape_.in_stride * kBfloat16Bytes : s.in_c;
    return s;
  }

  void make_image(const void* x, uint16_t* to) const noexcept {
    const int64_t channels = shape_.in_c, inner = shape_.in_w * channels, all = lines(), line = width() * channels;
    const int64_t top = way_ == kInPlace ? shape_.pad_top : 0, left = way_ == kInPlace ? shape_.pad_left * channels : 0;
    const double nanoseconds = static_cast<double>(shape_.batch * all) * static_cast<double>(line) * 0.05;
    parallel_ranges(useful_threads(thread_count(), nanoseconds), shape_.batch * all,
                    [&](int64_t begin, int64_t end, int) {
                      for (int64_t i = begin; i < end; ++i) {
                        uint16_t* out = to + i * line;
                        const int64_t y = i % all - top;
                        if (y < 0 || y >= shape_.in_h) {
                          std::fill_n(out, line, uint16_t{0});
                          continue;
                        }
                        std::fill_n(out, left, uint16_t{0});
                        const int64_t from = (i / all * shape_.in_h + y) * shape_.in_w * shape_.in_stride;
                        if (narrow_) put_line(static_cast<const uint16_t*>(x) + from, out + left, copy_numbers);
                        else put_line(static_cast<const float*>(x) + from, out + left, round_to_bfloat16);
                        std::fill(out + left + inner, out + line, uint16_t{0});
                      }
                    });
  }
  static void copy_numbers(const uint16_t* from, uint16_t* to, int64_t count) noexcept {
    std::copy(from, from + count, to);
  }
  template <class T> void put_line(const T* x, uint16_t* to, void (*put)(const T*, uint16_t*, int64_t)) const noexcept {
    const int64_t channels = shape_.in_c;
    if (shape_.in_stride == given_c_) {
      uint16_t* const joined = to + shape_.in_w * (channels - given_c_);
      put(x, joined, shape_.in_w * given_c_);
      if (given_c_ != channels) take_apart(joined, to);
      return;
    }
    for (int64_t i = 0; i < shape_.in_w; ++i) {
      put(x + i * shape_.in_stride, to + i * channels, given_c_);
      if (given_c_ != channels) to[i * channels + given_c_] = 0;
    }
  }
  // A line of pixels that lie at its end, each with a zero behind it.
  void take_apart(const uint16_t* from, uint16_t* to) const noexcept {
    if (given_c_ == 3) {
      for (int64_t i = 0; i < shape_.in_w; ++i, from += 3, to += 4) {
        const uint64_t pixel = from[0] | uint64_t{from[1]} << 16 | uint64_t{from[2]} << 32;
        std::memcpy(to, &pixel, sizeof pixel);
      }
      return;
    }
    for (int64_t i = 0; i < shape_.in_w; ++i, from += given_c_) {
      to = std::copy(from, from + given_c_, to);
      *to++ = 0;
    }
  }

  void multiply(const KernelCall& call, const ByteRows& left, const SumEpilogue& epilogue, int64_t group,
                uint8_t* scratch) const noexcept {
    const int64_t columns = shape_.out_c / groups_;
    const WindowOrder order = this->order();
    const Int8Product product{
        .rows = order.rows,
        .columns = columns,
        .terms = terms_,
        .left = &left,
        .pieces = pieces_,
        .run = order.run,
        .period = order.period,
        .kind = Int8Product::kBfloat16,
        .in_tiles = in_tiles_,
        .packed = static_cast<const int8_t*>(call.inputs[1].data) + group * packed_int8_bytes(terms_, columns),
        .out = call.outputs[0].data,
        .out_stride = shape_.out_stride,
        .first_column = group * columns};
    product_int8(product, epilogue, thread_count(), scratch);
  }

  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 5 || call.outputs.size() != 1 || call.inputs[2].present() || call.inputs[4].present() ||
        !is_real(call.inputs[0]) || !is_real(call.outputs[0]))
      return {Code::kMalformedPlan, "a convolution of bfloat16 has five operands or more, of float32 or bfloat16"};
    KILN_RETURN_IF_ERROR(read_windows(window_, groups_, call, shape_));
    const TensorView& w = call.inputs[1];
    if (w.dtype != DType::kBF16 || !w.is_dense())
      return {Code::kMalformedPlan, "the packed weights of a convolution of bfloat16 have another type"};
    given_c_ = shape_.in_c;
    if (even_ && (!in_tiles_ || groups_ != 1 || is_one_tap(shape_)))
      return {Code::kMalformedPlan, "a convolution of bfloat16 makes channels even that it does not read in pieces"};
    if (even_) shape_.in_c += shape_.in_c % 2;
    const int64_t taps = shape_.kernel_h * shape_.kernel_w;  // each below 2^31
    const auto terms = checked_mul(taps, shape_.in_c / groups_);
    const auto bytes = terms ? checked_mul(*terms, kBfloat16Bytes) : std::nullopt;
    const auto padded = bytes ? checked_add(*bytes, 3) : std::nullopt;
    const auto group = padded ? checked_mul(*padded / 4 * 4, int8_columns(shape_.out_c / groups_)) : std::nullopt;
    const auto all = group ? checked_mul(*group, groups_) : std::nullopt;
    if (!all || w.elements() != *all / kBfloat16Bytes)
      return {Code::kShapeMismatch, "packed weights have another size"};
    terms_ = *bytes;
    narrow_ = call.inputs[0].dtype == DType::kBF16;
    way_ = way();
    return find_image_bytes();
  }

  Status find_image_bytes() noexcept {
    image_bytes_ = 0;
    if (way_ == kPixels || reads_x()) return kOkStatus;
    const auto line = checked_mul(width(), shape_.in_c * kBfloat16Bytes);
    const auto image = line ? checked_mul(*line, lines()) : std::nullopt;
    const auto images = image ? checked_mul(*image, shape_.batch) : std::nullopt;
    const auto most = images ? checked_add(*images, 63) : std::nullopt;
    if (!most) return {Code::kOverflow, "the padded image of a convolution of bfloat16 has too many bytes"};
    image_bytes_ = *most / 64 * 64;
    return kOkStatus;
  }

  SlidingWindow window_;
  int64_t groups_;
  bool in_tiles_, even_;
  SumOperands sums_;
  ConvShape shape_;      // with the channels of the image
  int64_t given_c_ = 0;  // channels of x
  bool narrow_ = false;  // x is bfloat16
  Way way_ = kCopied;
  std::vector<int64_t> pieces_;
  int64_t terms_ = 0;        // bytes of a row
  int64_t image_bytes_ = 0;  // of the image, where it is not x
};

}  // namespace

std::unique_ptr<Kernel> make_conv_bfloat16(const Attributes& parameters) {
  return std::make_unique<ConvBfloat16>(read_parameters<ConvBfloat16Parameters>(parameters));
}

}  // namespace kiln::cpu::kernels
