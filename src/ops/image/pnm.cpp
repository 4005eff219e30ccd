// Portable bitmaps, greymaps and pixmaps, as text (P1 to P3) or bytes (P4 to P6).
#include <cctype>

#include "ops/image/formats.h"

namespace kiln::ops {
namespace {

class PnmReader {
 public:
  explicit PnmReader(ImageBytes bytes) : bytes_(bytes), at_(2) {}
  // The next number, behind white space and comments.
  std::optional<int64_t> number() {
    skip();
    std::optional<int64_t> value;
    for (; at_ < bytes_.size() && std::isdigit(bytes_[at_]); ++at_) {
      value = value.value_or(0) * 10 + (bytes_[at_] - '0');
      if (*value > INT32_MAX) return std::nullopt;
    }
    return value;
  }
  // The digits of P1 need no space between them.
  std::optional<int64_t> digit() {
    skip();
    if (at_ >= bytes_.size() || (bytes_[at_] != '0' && bytes_[at_] != '1')) return std::nullopt;
    return bytes_[at_++] - '0';
  }
  // One white space stands between the header and the bytes.
  void end_header() { ++at_; }
  std::optional<int64_t> bytes(int count) {
    if (at_ > bytes_.size() || bytes_.size() - at_ < static_cast<size_t>(count)) return std::nullopt;
    int64_t value = 0;
    for (; count > 0; --count) value = value << 8 | bytes_[at_++];
    return value;
  }

 private:
  void skip() {
    for (; at_ < bytes_.size() && (std::isspace(bytes_[at_]) || bytes_[at_] == '#'); ++at_)
      if (bytes_[at_] == '#')
        while (at_ + 1 < bytes_.size() && bytes_[at_] != '\n') ++at_;
  }
  ImageBytes bytes_;
  size_t at_;
};

uint8_t scaled(int64_t value, int64_t most) { return static_cast<uint8_t>((value * 255 + most / 2) / most); }

// P4: eight pixels in a byte, ones are black.
bool read_bits(PnmReader& in, Image& image) {
  for (int64_t r = 0; r < image.height; ++r)
    for (int64_t x = 0; x < image.width; x += 8) {
      const auto eight = in.bytes(1);
      if (!eight) return false;
      for (int64_t k = 0; k < 8 && x + k < image.width; ++k)
        for (int c = 0; c < 3; ++c) image.pixel(r, x + k)[c] = *eight >> (7 - k) & 1 ? 0 : 255;
    }
  return true;
}

}  // namespace

std::optional<Image> decode_pnm(ImageBytes bytes) {
  const int kind = bytes[1] - '0';
  const bool is_text = kind <= 3, is_bitmap = kind == 1 || kind == 4, is_colour = kind == 3 || kind == 6;
  PnmReader in(bytes);
  const auto width = in.number(), height = in.number(), most = is_bitmap ? std::optional<int64_t>(1) : in.number();
  if (!width || !height || !most || *most < 1 || *most > 65535) return std::nullopt;
  // As many bytes as the pixels need at least: a header cannot ask for more memory than its file backs.
  const auto needed = static_cast<uint64_t>(*width) * static_cast<uint64_t>(*height) / (is_bitmap && !is_text ? 8 : 1);
  if (needed > bytes.size()) return std::nullopt;
  auto image = Image::black(*height, *width);
  if (!image) return std::nullopt;
  in.end_header();
  if (kind == 4) return read_bits(in, *image) ? image : std::nullopt;
  for (size_t i = 0; i < image->rgb.size(); i += is_colour ? 1 : 3) {
    const auto value = kind == 1 ? in.digit() : is_text ? in.number() : in.bytes(*most > 255 ? 2 : 1);
    if (!value || *value > *most) return std::nullopt;
    const uint8_t level = is_bitmap ? (*value ? 0 : 255) : scaled(*value, *most);
    for (size_t k = 0; k < (is_colour ? 1u : 3u); ++k) image->rgb[i + k] = level;
  }
  return image;
}

}  // namespace kiln::ops
