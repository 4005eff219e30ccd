// Windows bitmaps: a header, perhaps a palette, rows from the bottom up (or down, when the height is negative).
#include <cstdlib>

#include "ops/image/formats.h"

namespace kiln::ops {
namespace {

struct BmpReader {
  ImageBytes bytes;
  bool has(uint64_t at, uint64_t count) const { return at <= bytes.size() && count <= bytes.size() - at; }
  uint32_t number(size_t at, size_t count) const {
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) value |= static_cast<uint32_t>(bytes[at + i]) << (8 * i);
    return value;
  }
};

// Copies the colour at `from`, which is blue, green, red.
void set_colour(uint8_t* pixel, const uint8_t* from) {
  for (int k = 0; k < 3; ++k) pixel[k] = from[2 - k];
}

}  // namespace

std::optional<Image> decode_bmp(ImageBytes bytes) {
  const BmpReader in{bytes};
  constexpr size_t kFileHeader = 14, kInfoHeader = 40;
  if (!in.has(0, kFileHeader + kInfoHeader)) return std::nullopt;
  const uint32_t pixels = in.number(10, 4), header = in.number(14, 4), depth = in.number(28, 2),
                 compression = in.number(30, 4);
  const auto width = static_cast<int32_t>(in.number(18, 4)), height = static_cast<int32_t>(in.number(22, 4));
  const bool packed = depth == 1 || depth == 4 || depth == 8;
  if (header < kInfoHeader || compression != 0 || (!packed && depth != 24 && depth != 32)) return std::nullopt;
  auto image = Image::black(std::abs(static_cast<int64_t>(height)), width);
  if (!image) return std::nullopt;
  const uint64_t row_bytes = (static_cast<uint64_t>(width) * depth + 31) / 32 * 4,
                 palette = kFileHeader + uint64_t{header};
  const uint64_t colours = packed ? in.number(46, 4) ? in.number(46, 4) : 1u << depth : 0;
  if (colours > 256 || !in.has(palette, 4 * colours) ||
      !in.has(pixels, row_bytes * static_cast<uint64_t>(image->height)))
    return std::nullopt;
  for (int64_t r = 0; r < image->height; ++r) {
    const uint8_t* row =
        bytes.data() + pixels + static_cast<uint64_t>(height < 0 ? r : image->height - 1 - r) * row_bytes;
    for (int64_t x = 0; x < width; ++x) {
      if (!packed) {
        set_colour(image->pixel(r, x), row + static_cast<uint64_t>(x) * depth / 8);
        continue;
      }
      const uint64_t bit = static_cast<uint64_t>(x) * depth;
      const uint32_t index = static_cast<uint32_t>(row[bit / 8]) >> (8 - depth - bit % 8) & ((1u << depth) - 1);
      if (index >= colours) return std::nullopt;
      set_colour(image->pixel(r, x), bytes.data() + palette + 4 * uint64_t{index});
    }
  }
  return image;
}

}  // namespace kiln::ops
