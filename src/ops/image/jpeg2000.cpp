// JPEG 2000, by OpenJPEG.
#ifdef KILN_OPENJPEG
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include <openjpeg.h>

#include "ops/image/formats.h"

namespace kiln::ops {
namespace {

struct Source {
  ImageBytes bytes;
  size_t at = 0;
};

OPJ_SIZE_T read_source(void* to, OPJ_SIZE_T wanted, void* user) {
  auto& source = *static_cast<Source*>(user);
  const size_t count = std::min<size_t>(wanted, source.bytes.size() - source.at);
  if (count == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(to, source.bytes.data() + source.at, count);
  source.at += count;
  return count;
}

OPJ_BOOL seek_source(OPJ_OFF_T to, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (to < 0 || static_cast<size_t>(to) > source.bytes.size()) return OPJ_FALSE;
  source.at = static_cast<size_t>(to);
  return OPJ_TRUE;
}

OPJ_OFF_T skip_source(OPJ_OFF_T by, void* user) {
  const auto now = static_cast<OPJ_OFF_T>(static_cast<Source*>(user)->at);
  return seek_source(now + by, user) ? by : -1;
}

void say_nothing_of(const char*, void*) {}

using Codec = std::unique_ptr<opj_codec_t, decltype(&opj_destroy_codec)>;
using Stream = std::unique_ptr<opj_stream_t, decltype(&opj_stream_destroy)>;
struct FreeImage {
  void operator()(opj_image_t* image) const { opj_image_destroy(image); }
};
using Picture = std::unique_ptr<opj_image_t, FreeImage>;

Picture read_picture(Source& source, OPJ_CODEC_FORMAT format) {
  const Codec codec(opj_create_decompress(format), &opj_destroy_codec);
  const Stream stream(opj_stream_default_create(OPJ_TRUE), &opj_stream_destroy);
  if (!codec || !stream) return nullptr;
  opj_set_info_handler(codec.get(), say_nothing_of, nullptr);
  opj_set_warning_handler(codec.get(), say_nothing_of, nullptr);
  opj_set_error_handler(codec.get(), say_nothing_of, nullptr);
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source.bytes.size());
  opj_stream_set_read_function(stream.get(), read_source);
  opj_stream_set_skip_function(stream.get(), skip_source);
  opj_stream_set_seek_function(stream.get(), seek_source);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* read = nullptr;
  if (!opj_setup_decoder(codec.get(), &parameters) || !opj_read_header(stream.get(), codec.get(), &read))
    return nullptr;
  Picture picture(read);
  if (!Image::black(picture->y1 - int64_t{picture->y0}, picture->x1 - int64_t{picture->x0})) return nullptr;
  if (!opj_decode(codec.get(), stream.get(), picture.get()) || !opj_end_decompress(codec.get(), stream.get()))
    return nullptr;
  return picture;
}

uint8_t byte_of(const opj_image_comp_t& part, size_t i) {
  const int64_t value = int64_t{part.data[i]} + (part.sgnd ? int64_t{1} << (part.prec - 1) : 0);
  const int64_t shifted = part.prec > 8 ? value >> (part.prec - 8) : value * 255 / ((1 << part.prec) - 1);
  return static_cast<uint8_t>(std::clamp<int64_t>(shifted, 0, 255));
}

void to_rgb(uint8_t* ycc) {
  const double y = ycc[0], b = ycc[1] - 128.0, r = ycc[2] - 128.0;
  const double values[] = {y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b};
  for (int k = 0; k < 3; ++k) ycc[k] = static_cast<uint8_t>(std::clamp(std::round(values[k]), 0.0, 255.0));
}

}  // namespace

std::optional<Image> decode_jpeg2000(ImageBytes bytes) {
  Source source{bytes};
  const Picture picture = read_picture(source, bytes[0] == 0 ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
  if (!picture || picture->numcomps < 1) return std::nullopt;
  const opj_image_comp_t* parts = picture->comps;
  const uint32_t colours = picture->numcomps >= 3 ? 3 : 1;
  for (uint32_t k = 0; k < colours; ++k)
    if (!parts[k].data || parts[k].w != parts[0].w || parts[k].h != parts[0].h || parts[k].prec < 1 ||
        parts[k].prec > 16)
      return std::nullopt;
  auto image = Image::black(parts[0].h, parts[0].w);
  if (!image) return std::nullopt;
  for (size_t i = 0; i < image->rgb.size() / 3; ++i) {
    uint8_t* pixel = image->rgb.data() + 3 * i;
    for (uint32_t k = 0; k < 3; ++k) pixel[k] = byte_of(parts[colours == 3 ? k : 0], i);
    if (colours == 3 && picture->color_space == OPJ_CLRSPC_SYCC) to_rgb(pixel);
  }
  return image;
}

}  // namespace kiln::ops
#endif
