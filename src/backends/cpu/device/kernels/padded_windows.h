// The windows of an image that has its padding, channels last, as rows of a product that are read in pieces where they lie.
#pragma once
#include <vector>

#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/compute/product_int8.h"

namespace kiln::cpu::kernels {

// Calls f(i, image, top, left) for output pixels row + i, `width` of them to a line: where their windows begin in an image that has its
// padding.
template <class F> void each_window(const ConvShape& s, int64_t width, int64_t row, int64_t rows, const F& f) {
  const int64_t height = s.out_h();
  int64_t x = row % width, y = row / width % height, image = row / width / height;
  for (int64_t i = 0; i < rows; ++i) {
    f(i, image, y * s.stride_h, x * s.stride_w);
    if (++x < width) continue;
    x = 0;
    if (++y < height) continue;
    y = 0;
    ++image;
  }
}

inline bool is_padded(const ConvShape& s) { return s.pad_top + s.pad_left + s.pad_bottom + s.pad_right != 0; }
inline bool is_one_tap(const ConvShape& s) { return s.kernel_h * s.kernel_w == 1; }
// A line of taps lies in one piece.
inline bool lines_are_joined(const ConvShape& s) { return s.groups == 1 && s.dilation_w == 1; }
// Bytes of a piece, of elements of so many.
inline int64_t piece_bytes(const ConvShape& s, int64_t element) {
  return s.in_c / s.groups * (lines_are_joined(s) ? s.kernel_w : 1) * element;
}
// Where the pieces begin behind the first pixel of a window, in an image of such lines and pixels.
inline std::vector<int64_t> piece_offsets(const ConvShape& s, int64_t line, int64_t pixel) {
  std::vector<int64_t> offsets;
  for (int64_t y = 0; y < s.kernel_h; ++y)
    for (int64_t x = 0; x < (lines_are_joined(s) ? 1 : s.kernel_w); ++x)
      offsets.push_back(y * s.dilation_h * line + x * s.dilation_w * pixel);
  return offsets;
}

// How the windows of an image with its padding follow one another where tiles take them: line by line, or, of windows one pixel apart,
// without a gap, so that those which begin behind the last of a line have no result.
struct WindowOrder {
  WindowOrder(const ConvShape& s, bool in_place) : width(s.out_w()), rows(s.batch * s.out_h() * width) {
    if (!in_place || rows == 0 || s.stride_h != 1 || s.stride_w != 1) return;
    const int64_t line = s.in_w + s.pad_left + s.pad_right, all = s.batch * s.out_h() * line - (line - width);
    if (tiles_of(all) * kMore > tiles_of(rows) * kLess) return;
    run = width;
    period = width = line;
    rows = all;
  }
  // More tiles than that take longer than rows that are copied.
  static constexpr int64_t kMore = 4, kLess = 5;
  static int64_t tiles_of(int64_t rows) { return (rows + 15) / 16; }
  int64_t width, rows;          // of a line; in all
  int64_t run = 0, period = 0;  // as Int8Product has them
};

class PaddedWindows final : public ByteRows {
 public:
  // `width` of them to a line; `image`, `line` and `pixel`: bytes from one to the next.
  PaddedWindows(const ConvShape& shape, int64_t width, const uint8_t* x, int64_t image, int64_t line, int64_t pixel)
      : s_(shape), width_(width), x_(x), image_(image), line_(line), pixel_(pixel) {}
  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t*) const noexcept override {
    each_window(s_, width_, row, rows, [&](int64_t i, int64_t image, int64_t top, int64_t left) {
      addresses[i] = x_ + image * image_ + top * line_ + left * pixel_;
    });
  }

 private:
  const ConvShape& s_;
  int64_t width_;
  const uint8_t* x_;
  int64_t image_, line_, pixel_;
};

}  // namespace kiln::cpu::kernels
