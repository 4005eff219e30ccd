// PNG, by libpng.
#ifdef KILN_PNG
#include <png.h>

#include "ops/image/formats.h"

namespace kiln::ops {

std::optional<Image> decode_png(ImageBytes bytes) {
  png_image reader{};
  reader.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&reader, bytes.data(), bytes.size())) return std::nullopt;
  reader.format = PNG_FORMAT_RGB;
  auto image = Image::black(reader.height, reader.width);
  const png_color black{0, 0, 0};  // behind what is transparent
  const bool good = image && png_image_finish_read(&reader, &black, image->rgb.data(), 0, nullptr);
  png_image_free(&reader);
  return good ? std::move(image) : std::nullopt;
}

}  // namespace kiln::ops
#endif
