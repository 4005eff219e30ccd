// Samples of a model's inputs from files.
#include "samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace kiln::tool {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLargestArray = uint64_t{1} << 36;
constexpr const char* kArrayEndings[] = {".npz", ".npy", ".pb"};
constexpr const char* kImageEndings[] = {".bmp", ".jpeg", ".jpg", ".jp2",  ".png",
                                         ".pgm", ".ppm",  ".tif", ".tiff", ".webp"};

bool fits(const std::vector<int64_t>& dims, const std::vector<int64_t>& wanted, size_t from) {
  if (dims.size() != wanted.size()) return false;
  for (size_t i = from; i < dims.size(); ++i)
    if (wanted[i] >= 0 && dims[i] != wanted[i]) return false;
  return true;
}

// Pieces of an array along its first axis, `rows` each, seen with these dimensions.
std::vector<api::HostTensor> pieces(const api::HostTensor& array, int64_t count, std::vector<int64_t> dims) {
  std::vector<api::HostTensor> result;
  const size_t bytes = array.data.size() / static_cast<size_t>(count);
  for (int64_t i = 0; i < count; ++i) {
    const auto begin = array.data.begin() + static_cast<long>(static_cast<size_t>(i) * bytes);
    result.push_back({array.type, dims, {begin, begin + static_cast<long>(bytes)}});
  }
  return result;
}

// The values of an input in an array: one, or many along an axis before its own, or along its batch.
std::vector<api::HostTensor> samples_of(const api::IoTensor& io, const api::HostTensor& array,
                                        const std::string& what) {
  const std::vector<int64_t> tail(array.dims.begin() + (array.dims.empty() ? 0 : 1), array.dims.end());
  const int64_t first = array.dims.empty() ? 0 : array.dims[0],
                batch = io.dims.empty() || io.dims[0] < 0 ? 1 : io.dims[0];
  if (array.type == io.type && api::element_count(array) > 0) {
    if (fits(tail, io.dims, 0)) return pieces(array, first, tail);
    if (!io.dims.empty() && fits(array.dims, io.dims, 1) && first % batch == 0) {
      std::vector<int64_t> dims = array.dims;
      dims[0] = batch;
      return pieces(array, first / batch, dims);
    }
  }
  throw api::Failure(fmt::format(
      "error[K4002] {} is {} {}, and input '{}' takes {} {}\n  remedy: give arrays of its shape, or many of "
      "them along an axis before it",
      what, array.type, shape_text(array.dims), io.name, io.type, shape_text(io.dims)));
}

void join_input(Samples& samples, bool is_first, const std::string& input, std::vector<api::HostTensor> values) {
  if (is_first) samples.resize(values.size());
  if (samples.size() != values.size())
    throw api::Failure(
        fmt::format("error[K4002] there are {} values of input '{}' and {} of another\n  remedy: give each input a "
                    "value for each sample",
                    values.size(), input, samples.size()));
  for (size_t i = 0; i < values.size(); ++i) samples[i][input] = std::move(values[i]);
}

// Arrays are taken as they are.
void refuse_pixels(const SampleOptions& o, const std::string& path) {
  if (!o.mean.empty() || !o.scale.empty())
    throw CLI::ValidationError("--mean, --scale", "they are for images, and '" + path +
                                                      "' holds arrays (remedy: store what the network is to read)");
}

Samples read_archive(const SampleOptions& o, const std::string& path, const std::vector<api::IoTensor>& inputs) {
  refuse_pixels(o, path);
  const auto arrays = npz_arrays(path);
  Samples samples;
  for (const api::IoTensor& io : inputs) {
    const bool only = arrays.size() == 1 && inputs.size() == 1;
    if (!only && std::find(arrays.begin(), arrays.end(), io.name) == arrays.end())
      throw api::Failure("error[K1004] '" + path + "' holds no array '" + io.name + "'" +
                         api::name_hint(io.name, arrays) + "\n  remedy: name the arrays as the inputs of the model");
    const std::string array = only ? arrays[0] : io.name;
    join_input(samples, &io == &inputs[0], io.name,
               samples_of(io, load_npz(path, array, kLargestArray), "array '" + array + "'"));
  }
  return samples;
}

// Input [n, 3, height, width] or so of an image file.
api::Values image_sample(const SampleOptions& o, const std::string& path, const api::IoTensor& io) {
  if (io.type != "float32" || io.dims.size() != 4 || io.dims[2] < 1 || io.dims[3] < 1)
    throw api::Failure("error[K4002] input '" + io.name + "' is " + io.type + " " + shape_text(io.dims) +
                       ", and images are for float32 [batch, channels, height, width] of a fixed size\n  remedy: give "
                       "arrays instead of images");
  api::HostTensor image = api::load_image(path, io.dims[2], io.dims[3]);
  const auto channels = static_cast<size_t>(image.dims[1]);
  std::vector<float> pixels(image.data.size() / sizeof(float));
  std::memcpy(pixels.data(), image.data.data(), image.data.size());
  const auto number = [&](const std::vector<float>& list, size_t channel, float fallback) {
    return list.empty() ? fallback : list[list.size() == 1 ? 0 : channel];
  };
  for (const auto* list : {&o.mean, &o.scale})
    if (list->size() > 1 && list->size() != channels)
      throw CLI::ValidationError("--mean, --scale", "one number, or one for each of " + std::to_string(channels));
  for (size_t i = 0; i < pixels.size(); ++i) {
    const size_t channel = i / (pixels.size() / channels);
    pixels[i] = (pixels[i] - number(o.mean, channel, 0)) * number(o.scale, channel, 1);
  }
  std::memcpy(image.data.data(), pixels.data(), image.data.size());
  return {{io.name, samples_of(io, image, "image '" + path + "'").at(0)}};
}

bool is_image(const fs::path& path) {
  const std::string ending = path.extension().string();
  return std::find(std::begin(kImageEndings), std::end(kImageEndings), ending) != std::end(kImageEndings);
}

// Of one file of a folder.
Samples read_file(const SampleOptions& o, const std::string& path, const std::vector<api::IoTensor>& inputs) {
  if (path.ends_with(".npz")) return read_archive(o, path, inputs);
  if (inputs.size() != 1)
    throw api::Failure("error[K4002] '" + path + "' holds one array, and the model has " +
                       std::to_string(inputs.size()) + " inputs\n  remedy: give .npz files");
  if (is_image(path)) return {image_sample(o, path, inputs[0])};
  refuse_pixels(o, path);
  Samples samples;
  join_input(samples, true, inputs[0].name, samples_of(inputs[0], api::load_tensor(path), "'" + path + "'"));
  return samples;
}

Samples read_folder(const SampleOptions& o, const std::vector<api::IoTensor>& inputs) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(o.data)) {
    const bool array = std::find(std::begin(kArrayEndings), std::end(kArrayEndings), entry.path().extension()) !=
                       std::end(kArrayEndings);
    if (array || is_image(entry.path())) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  Samples samples;
  for (const std::string& path : paths) {
    if (samples.size() >= o.limit) break;
    Samples more = read_file(o, path, inputs);
    std::move(more.begin(), more.end(), std::back_inserter(samples));
  }
  return samples;
}

}  // namespace

Samples read_samples(const SampleOptions& o, const std::vector<api::IoTensor>& inputs) {
  Samples samples = fs::is_directory(o.data) ? read_folder(o, inputs) : read_archive(o, o.data, inputs);
  if (samples.empty())
    throw api::Failure("error[K1004] '" + o.data +
                       "' holds no samples\n  remedy: give .npz, or a folder of .npz, .npy, .pb or images");
  if (samples.size() > o.limit) samples.resize(o.limit);
  return samples;
}

CLI::Option* add_sample_flags(CLI::App& app, SampleOptions& o) {
  CLI::Option* data =
      app.add_option("--data", o.data,
                     "Samples: .npz with an array for each input, one value or many along the first axis; or a folder "
                     "of .npz, .npy, .pb or images, which are resized to the input");
  app.add_option("--samples", o.limit, "Samples at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->needs(data);
  app.add_option("--mean", o.mean, "Of images: what is taken off pixels of 0 to 255, a number or one for each channel")
      ->delimiter(',')
      ->needs(data);
  app.add_option("--scale", o.scale, "Of images: what they are multiplied by then")->delimiter(',')->needs(data);
  return data;
}

}  // namespace kiln::tool
