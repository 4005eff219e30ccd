// ImageDecoder: an image file as [height, width, channels]; of size 0 when it cannot be decoded, as the specification asks.
#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "ops/dim_checks.h"
#include "ops/image/formats.h"
#include "ops/registry.h"

namespace kiln::ops {

std::optional<Image> Image::black(int64_t height, int64_t width) {
  constexpr int64_t kMostSide = int64_t{1} << 20, kMostPixels = int64_t{1} << 28;
  if (height < 1 || width < 1 || height > kMostSide || width > kMostSide || height * width > kMostPixels)
    return std::nullopt;
  return Image{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
}

namespace {

struct Format {
  std::string_view name, start, library;
  std::optional<Image> (*decode)(ImageBytes);  // null: Kiln was built without the library
  size_t start_at = 0;
};

#ifdef KILN_JPEG
constexpr auto kJpeg = &decode_jpeg;
#else
constexpr std::optional<Image> (*kJpeg)(ImageBytes) = nullptr;
#endif
#ifdef KILN_PNG
constexpr auto kPng = &decode_png;
#else
constexpr std::optional<Image> (*kPng)(ImageBytes) = nullptr;
#endif
#ifdef KILN_TIFF
constexpr auto kTiff = &decode_tiff;
#else
constexpr std::optional<Image> (*kTiff)(ImageBytes) = nullptr;
#endif
#ifdef KILN_WEBP
constexpr auto kWebp = &decode_webp;
#else
constexpr std::optional<Image> (*kWebp)(ImageBytes) = nullptr;
#endif
#ifdef KILN_OPENJPEG
constexpr auto kJpeg2000 = &decode_jpeg2000;
#else
constexpr std::optional<Image> (*kJpeg2000)(ImageBytes) = nullptr;
#endif

using namespace std::string_view_literals;
constexpr Format kFormats[] = {
    {"BMP", "BM"sv, "", decode_bmp},
    {"JPEG", "\xff\xd8\xff"sv, "libjpeg", kJpeg},
    {"JPEG 2000", "\0\0\0\x0cjP  "sv, "openjpeg", kJpeg2000},
    {"JPEG 2000", "\xff\x4f\xff\x51"sv, "openjpeg", kJpeg2000},
    {"PNG", "\x89PNG\r\n\x1a\n"sv, "libpng", kPng},
    {"PNM", "P1"sv, "", decode_pnm},
    {"PNM", "P2"sv, "", decode_pnm},
    {"PNM", "P3"sv, "", decode_pnm},
    {"PNM", "P4"sv, "", decode_pnm},
    {"PNM", "P5"sv, "", decode_pnm},
    {"PNM", "P6"sv, "", decode_pnm},
    {"TIFF", "II*\0"sv, "libtiff", kTiff},
    {"TIFF", "MM\0*"sv, "libtiff", kTiff},
    {"WebP", "WEBP"sv, "libwebp", kWebp, 8},
};

std::optional<Image> decoded_image(ImageBytes bytes) {
  for (const Format& format : kFormats) {
    if (bytes.size() < format.start_at + format.start.size()) continue;
    const bool same = std::equal(format.start.begin(), format.start.end(),
                                 bytes.begin() + static_cast<std::ptrdiff_t>(format.start_at),
                                 [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
    if (!same) continue;
    if (!format.decode)
      throw Error(Code::kUnsupported, "this build of Kiln does not read " + std::string(format.name) + " images")
          .remedy("build it with " + std::string(format.library));
    return format.decode(bytes);
  }
  return std::nullopt;
}

int64_t channels(const ShapeCall& c) {
  const std::string format = c.text("pixel_format");
  if (format == "RGB" || format == "BGR") return 3;
  if (format == "Grayscale") return 1;
  throw Error(Code::kInvalidArgument, "pixel_format '" + format + "' is not RGB, BGR or Grayscale");
}

// Luma of ITU-R 601 in 16 bits of fraction.
uint8_t luma(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

void decode_reference(RefCall& c) {
  const Tensor& data = c.input("encoded_stream");
  const int64_t depth = channels(c.shapes());
  const auto image = decoded_image({static_cast<const uint8_t*>(data.data()), static_cast<size_t>(data.size())});
  if (!image) return c.set_output(0, Tensor::allocate(DType::kU8, {0, 0, depth}));
  Tensor y = Tensor::allocate(DType::kU8, {image->height, image->width, depth});
  auto out = y.as_mutable<uint8_t>();
  const bool swaps = c.text("pixel_format") == "BGR";
  for (size_t i = 0; i < image->rgb.size() / 3; ++i) {
    const uint8_t* rgb = image->rgb.data() + 3 * i;
    if (depth == 1) out[i] = luma(rgb);
    for (size_t k = 0; depth == 3 && k < 3; ++k) out[3 * i + k] = rgb[swaps ? 2 - k : k];
  }
  c.set_output(0, std::move(y));
}

}  // namespace

const OpDef image_decoder = op("ImageDecoder")
                                .input("encoded_stream", DType::kU8)
                                .attr("pixel_format", std::string("RGB"))
                                .output("image", fixed_type(DType::kU8))
                                .shape([](ShapeCall& c) {
                                  require_rank(c, "encoded_stream", 1);
                                  return Shape{c.unknown_dim(0, 0), c.unknown_dim(0, 1), Dim(channels(c))};
                                })
                                .reference(decode_reference);

}  // namespace kiln::ops
