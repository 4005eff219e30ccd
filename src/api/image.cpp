// Image files as inputs of networks, by the operators ImageDecoder and Resize.
#include "api/host_tensor.h"
#include "api/kiln_api.h"
#include "base/file_map.h"
#include "ops/op.h"

namespace kiln::api {
namespace {

Tensor decoded(const std::string& path) {
  const auto file = FileMap::open(path);
  const auto bytes = file->bytes();
  const Tensor encoded = Tensor::borrow(DType::kU8, {static_cast<int64_t>(bytes.size())}, bytes.data(), file);
  const Tensor image = evaluate(*find_op("ImageDecoder"), {}, {encoded}, 1).at(0).tensor;
  if (image.size() == 0)
    throw Error(Code::kInvalidArgument, "'" + path + "' is no image that can be decoded")
        .remedy("give BMP, JPEG, JPEG 2000, PNG, PNM, TIFF or WebP files");
  return image.cast(DType::kF32);
}

Tensor resized(const Tensor& image, int64_t height, int64_t width) {
  if (image.dims()[0] == height && image.dims()[1] == width) return image;
  const Tensor sizes = Tensor::of<int64_t>({3}, {height, width, image.dims()[2]});
  return evaluate(*find_op("Resize"), {{"mode", std::string("linear")}, {"antialias", int64_t{1}}},
                  {image, Datum(), Datum(), sizes}, 1)
      .at(0)
      .tensor;
}

}  // namespace

HostTensor load_image(const std::string& path, int64_t height, int64_t width) {
  return guarded([&] {
    if (height < 1 || width < 1)
      throw Error(Code::kInvalidArgument,
                  "an image of " + std::to_string(height) + " x " + std::to_string(width) + " pixels");
    const Tensor image = resized(decoded(path), height, width);
    const int64_t pixels = height * width, channels = image.dims()[2];
    Tensor planes = Tensor::allocate(DType::kF32, {1, channels, height, width});
    for (int64_t i = 0; i < pixels; ++i)
      for (int64_t c = 0; c < channels; ++c) copy_elements(image, i * channels + c, planes, c * pixels + i, 1);
    return to_host(planes);
  });
}

}  // namespace kiln::api
