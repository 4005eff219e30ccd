// Decoders of image files, one per format. What is damaged gives nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace kiln::ops {

using ImageBytes = std::span<const uint8_t>;

struct Image {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> rgb;  // three bytes per pixel, row by row

  // Black; nothing when a side is below 1, or there are more pixels than an image may have.
  static std::optional<Image> black(int64_t height, int64_t width);
  uint8_t* pixel(int64_t row, int64_t column) { return rgb.data() + (row * width + column) * 3; }
};

std::optional<Image> decode_bmp(ImageBytes bytes);  // uncompressed, of 1 to 32 bits
std::optional<Image> decode_pnm(ImageBytes bytes);  // P1 to P6
// By the libraries of the formats, where Kiln was built with them.
std::optional<Image> decode_jpeg(ImageBytes bytes);
std::optional<Image> decode_jpeg2000(ImageBytes bytes);
std::optional<Image> decode_png(ImageBytes bytes);
std::optional<Image> decode_tiff(ImageBytes bytes);
std::optional<Image> decode_webp(ImageBytes bytes);

}  // namespace kiln::ops
