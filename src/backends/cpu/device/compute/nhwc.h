// Where the pixels of an NHWC tensor lie, so that it may be a slice of a wider one.
#pragma once
#include <cstdint>

namespace kiln::cpu {

// In elements; channels are adjacent.
struct PixelStrides {
  int64_t pixel = 0, row = 0, image = 0;
};
inline PixelStrides dense_pixels(int64_t height, int64_t width, int64_t channels) {
  return {channels, width * channels, height * width * channels};
}

// A window that slides over two dimensions: kernel, stride, dilation, and the padding before the first element.
struct Window2d {
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0,
          pad_left = 0;
};

// The taps [begin, end) of a window of `kernel` taps that fall into [0, extent) when the first is at `start`.
struct Taps {
  int64_t begin, end;
};
inline Taps inner_taps(int64_t start, int64_t kernel, int64_t dilation, int64_t extent) {
  const int64_t begin = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const int64_t room = extent - start;
  const int64_t end = room <= 0 ? 0 : (room + dilation - 1) / dilation;
  return {begin < kernel ? begin : kernel, end < kernel ? (end < begin ? begin : end) : kernel};
}

}  // namespace kiln::cpu
