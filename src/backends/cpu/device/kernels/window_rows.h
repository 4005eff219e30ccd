// The windows of an image of bytes, channels last, as the left operand of a product.
#pragma once
#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/conv_volume.h"
#include "backends/cpu/device/compute/nhwc.h"
#include "backends/cpu/device/compute/product_int8.h"

namespace kiln::cpu::kernels {

// Two bytes of padding, each the zero point, which becomes unsigned with the others.
inline uint16_t byte_padding(int32_t zero, bool is_signed) {
  return static_cast<uint16_t>(static_cast<uint8_t>(is_signed ? zero + 128 : zero) * 0x0101);
}

// The inputs of each output pixel of one group: kernel slices, kernel rows, kernel columns, channels. Channels of two bytes each count twice.
class WindowRows final : public ByteRows {
 public:
  WindowRows(const VolumeShape& shape, const uint8_t* x, int64_t parts, bool is_signed, uint16_t padding)
      : s_(shape), x_(x), parts_(parts), signed_(is_signed), padding_(padding) {
    channels_ = s_.in_c / s_.groups;
    plane_ = s_.kernel_h * s_.kernel_w * channels_;
    terms_ = s_.kernel_d * plane_;
    slice_ = s_.in_h * s_.in_w * s_.in_stride;
    joined_ = channels_ == s_.in_c && s_.in_stride == s_.in_c && s_.dilation_w == 1;
    const bool pointwise = s_.kernel_d * s_.kernel_h * s_.kernel_w == 1 && s_.pad_front + s_.pad_back == 0 &&
                           s_.pad_top + s_.pad_left + s_.pad_bottom + s_.pad_right == 0;
    in_place_ = pointwise && terms_ % 4 == 0 && parts_ == 1;
    flat_ = pointwise && !in_place_ && parts_ == 1 && s_.stride_d == 1 && s_.stride_h == 1 && s_.stride_w == 1;
  }

  // Rows that are read where they lie hold signed bytes when x does.
  bool in_place() const { return in_place_; }

  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t* scratch) const noexcept override {
    const int64_t out_w = s_.out_w(), out_h = s_.out_h(), out_d = s_.out_d(), padded = int8_terms(terms_ * parts_);
    if (flat_) copy_byte_lines(x_ + row * s_.in_stride, s_.in_stride, scratch, padded, rows, terms_, signed_);
    const int64_t slice = row / out_w / out_h;
    int64_t x = row % out_w, y = row / out_w % out_h, z = slice % out_d, image = slice / out_d;
    for (int64_t i = 0; i < rows; ++i, scratch += in_place_ ? 0 : padded) {
      const uint8_t* from = x_ + image * s_.in_d * slice_;
      const int64_t iz = z * s_.stride_d - s_.pad_front, iy = y * s_.stride_h - s_.pad_top,
                    ix = x * s_.stride_w - s_.pad_left;
      if (in_place_) {
        addresses[i] = from + iz * slice_ + (iy * s_.in_w + ix) * s_.in_stride;
      } else {
        if (!flat_) copy_slices(from, iz, iy, ix, scratch);
        for (int64_t part = 1; part < parts_; ++part) std::copy(scratch, scratch + terms_, scratch + part * terms_);
        std::fill(scratch + terms_ * parts_, scratch + padded, uint8_t{0});
        addresses[i] = scratch;
      }
      if (++x < out_w) continue;
      x = 0;
      if (++y < out_h) continue;
      y = 0;
      if (++z < out_d) continue;
      z = 0;
      ++image;
    }
  }

 private:
  // inner_taps() without its divisions where the window lies inside.
  static Taps taps_inside(int64_t start, int64_t kernel, int64_t dilation, int64_t extent) {
    const bool whole = start >= 0 && start + (kernel - 1) * dilation < extent;
    return whole ? Taps{0, kernel} : inner_taps(start, kernel, dilation, extent);
  }

  void pad(uint8_t* to, int64_t count) const {
    const auto low = static_cast<uint8_t>(padding_), high = static_cast<uint8_t>(padding_ >> 8);
    if (low == high) std::fill_n(to, count, low);
    else
      for (int64_t i = 0; i < count; i += 2) std::memcpy(to + i, &padding_, sizeof padding_);
  }

  void copy_slices(const uint8_t* volume, int64_t iz, int64_t iy, int64_t ix, uint8_t* to) const {
    if (plane_ == 0) return;
    for (int64_t k = 0; k < s_.kernel_d; ++k, to += plane_) {
      const int64_t z = iz + k * s_.dilation_d;
      if (z >= 0 && z < s_.in_d) copy_window(volume + z * slice_, iy, ix, to);
      else pad(to, plane_);
    }
  }

  void copy_window(const uint8_t* image, int64_t iy, int64_t ix, uint8_t* to) const {
    const int64_t run = s_.kernel_w * channels_, line = s_.in_w * s_.in_stride;
    const Taps rows = taps_inside(iy, s_.kernel_h, s_.dilation_h, s_.in_h);
    const Taps columns = taps_inside(ix, s_.kernel_w, s_.dilation_w, s_.in_w);
    const bool whole = rows.end - rows.begin == s_.kernel_h && columns.end - columns.begin == s_.kernel_w;
    if (!whole) pad(to, s_.kernel_h * run);
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

  const VolumeShape& s_;
  const uint8_t* x_;
  int64_t parts_;
  bool signed_, joined_ = false;
  bool in_place_ = false;  // rows are read where they lie
  bool flat_ = false;      // rows are neighbouring pixels
  uint16_t padding_;
  int64_t channels_ = 0, plane_ = 0, terms_ = 0;
  int64_t slice_ = 0;  // bytes from one slice of x to the next
};

}  // namespace kiln::cpu::kernels
