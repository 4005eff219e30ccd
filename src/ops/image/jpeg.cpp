// JPEG, by libjpeg.
#ifdef KILN_JPEG
#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "ops/image/formats.h"

namespace kiln::ops {
namespace {

struct JpegErrors {
  jpeg_error_mgr base;
  std::jmp_buf out;
};

void leave(j_common_ptr decoder) { std::longjmp(reinterpret_cast<JpegErrors*>(decoder->err)->out, 1); }
void say_nothing(j_common_ptr) {}

// Between setjmp and longjmp nothing has a destructor.
bool read_jpeg(ImageBytes bytes, std::optional<Image>& image) {
  jpeg_decompress_struct decoder{};
  JpegErrors errors{};
  decoder.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = leave;
  errors.base.output_message = say_nothing;
  if (setjmp(errors.out)) {
    jpeg_destroy_decompress(&decoder);
    return false;
  }
  jpeg_create_decompress(&decoder);
  jpeg_mem_src(&decoder, bytes.data(), bytes.size());
  jpeg_read_header(&decoder, TRUE);
  decoder.out_color_space = JCS_RGB;
  image = Image::black(decoder.image_height, decoder.image_width);
  if (image) {
    jpeg_start_decompress(&decoder);
    while (decoder.output_scanline < decoder.output_height) {
      JSAMPROW row = image->pixel(decoder.output_scanline, 0);
      jpeg_read_scanlines(&decoder, &row, 1);
    }
    jpeg_finish_decompress(&decoder);
  }
  jpeg_destroy_decompress(&decoder);
  return image.has_value();
}

}  // namespace

std::optional<Image> decode_jpeg(ImageBytes bytes) {
  std::optional<Image> image;
  return read_jpeg(bytes, image) ? std::move(image) : std::nullopt;
}

}  // namespace kiln::ops
#endif
