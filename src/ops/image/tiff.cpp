// TIFF, by libtiff.
#ifdef KILN_TIFF
#include <algorithm>
#include <cstring>
#include <memory>

#include <tiffio.h>

#include "ops/image/formats.h"

namespace kiln::ops {
namespace {

struct TiffFile {
  ImageBytes bytes;
  size_t at = 0;
};

tmsize_t read_tiff(thandle_t handle, void* to, tmsize_t wanted) {
  auto& file = *static_cast<TiffFile*>(handle);
  const size_t count = std::min(static_cast<size_t>(std::max<tmsize_t>(wanted, 0)),
                                file.bytes.size() - std::min(file.at, file.bytes.size()));
  if (count > 0) std::memcpy(to, file.bytes.data() + file.at, count);
  file.at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t refuse_to_write(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek_tiff(thandle_t handle, toff_t offset, int from) {
  auto& file = *static_cast<TiffFile*>(handle);
  file.at = static_cast<size_t>(offset) + (from == SEEK_CUR ? file.at : from == SEEK_END ? file.bytes.size() : 0);
  return file.at;
}

int close_tiff(thandle_t) { return 0; }
toff_t size_tiff(thandle_t handle) { return static_cast<TiffFile*>(handle)->bytes.size(); }
int say_nothing(TIFF*, void*, const char*, const char*, va_list) { return 1; }

using Options = std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)>;
using Reader = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

}  // namespace

std::optional<Image> decode_tiff(ImageBytes bytes) {
  TiffFile file{bytes};
  const Options options(TIFFOpenOptionsAlloc(), &TIFFOpenOptionsFree);
  if (!options) return std::nullopt;
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), say_nothing, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), say_nothing, nullptr);
  const Reader reader(TIFFClientOpenExt("image", "rm", &file, read_tiff, refuse_to_write, seek_tiff, close_tiff,
                                        size_tiff, nullptr, nullptr, options.get()),
                      &TIFFClose);
  uint32_t width = 0, height = 0;
  if (!reader || !TIFFGetField(reader.get(), TIFFTAG_IMAGEWIDTH, &width) ||
      !TIFFGetField(reader.get(), TIFFTAG_IMAGELENGTH, &height))
    return std::nullopt;
  auto image = Image::black(height, width);
  if (!image) return std::nullopt;
  std::vector<uint32_t> pixels(image->rgb.size() / 3);
  if (!TIFFReadRGBAImageOriented(reader.get(), width, height, pixels.data(), ORIENTATION_TOPLEFT, 1))
    return std::nullopt;
  for (size_t i = 0; i < pixels.size(); ++i) {
    image->rgb[3 * i] = static_cast<uint8_t>(TIFFGetR(pixels[i]));
    image->rgb[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(pixels[i]));
    image->rgb[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(pixels[i]));
  }
  return image;
}

}  // namespace kiln::ops
#endif
