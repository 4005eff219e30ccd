// WebP, by libwebp.
#ifdef KILN_WEBP
#include <webp/decode.h>

#include "ops/image/formats.h"

namespace kiln::ops {

std::optional<Image> decode_webp(ImageBytes bytes) {
  int width = 0, height = 0;
  if (!WebPGetInfo(bytes.data(), bytes.size(), &width, &height)) return std::nullopt;
  auto image = Image::black(height, width);
  if (!image || !WebPDecodeRGBInto(bytes.data(), bytes.size(), image->rgb.data(), image->rgb.size(), width * 3))
    return std::nullopt;
  return image;
}

}  // namespace kiln::ops
#endif
