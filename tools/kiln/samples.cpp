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
constexpr size_t kMostSamples = 1000000000;
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

// How many rows of `count` are one sample: as many as the input has; where it takes any number, one, or what its profile takes.
int64_t batch_of(const api::IoTensor& io, int64_t count) {
  if (io.dims.empty()) return 1;
  if (io.dims[0] >= 0) return std::max<int64_t>(io.dims[0], 1);
  const api::Bounds* bounds = io.profiles.empty() ? nullptr : &io.profiles[0];
  if (!bounds || bounds->min.empty() || bounds->min[0] <= 1) return 1;
  return count % bounds->opt.at(0) == 0 ? bounds->opt[0] : bounds->min[0];
}

// The values of an input in an array: one, or many along an axis before its own, or along its batch.
std::vector<api::HostTensor> samples_of(const api::IoTensor& io, const api::HostTensor& array,
                                        const std::string& what) {
  const std::vector<int64_t> tail(array.dims.begin() + (array.dims.empty() ? 0 : 1), array.dims.end());
  const int64_t first = array.dims.empty() ? 0 : array.dims[0], batch = batch_of(io, first);
  if (array.type == io.type && api::element_count(array) > 0) {
    if (fits(tail, io.dims, 0)) return pieces(array, first, tail);
    if (!io.dims.empty() && fits(array.dims, io.dims, 1) && first % batch == 0) {
      std::vector<int64_t> dims = array.dims;
      dims[0] = batch;
      return pieces(array, first / batch, dims);
    }
  }
  throw api::Failure(fmt::format(
      "error[K4002] {} is {} {}, and input '{}' takes {} {}{}\n  remedy: give arrays of its shape, many of them along "
      "an axis before it, or a multiple of {} along its first",
      what, array.type, shape_text(array.dims), io.name, io.type, shape_text(io.dims),
      batch == 1 ? "" : fmt::format(" in batches of {}", batch), batch));
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
    if (std::find(arrays.begin(), arrays.end(), io.name) == arrays.end())
      throw api::Failure("error[K1004] '" + path + "' holds no array '" + io.name + "'" +
                         api::name_hint(io.name, arrays) + "\n  remedy: name the arrays as the inputs of the model");
    join_input(samples, &io == &inputs[0], io.name,
               samples_of(io, load_npz(path, io.name, kLargestArray), "array '" + io.name + "'"));
  }
  const auto names = names_of(inputs);
  for (const std::string& array : arrays)
    if (std::find(names.begin(), names.end(), array) == names.end())
      throw api::Failure("error[K1004] '" + path + "' holds an array '" + array +
                         "', and the network has no such input" + api::name_hint(array, names) +
                         "\n  remedy: name the arrays as the inputs of the model");
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
      ->check(CLI::Range(size_t{1}, kMostSamples))
      ->capture_default_str()
      ->needs(data);
  app.add_option("--mean", o.mean, "Of images: what is taken off pixels of 0 to 255, a number or one for each channel")
      ->delimiter(',')
      ->check(finite())
      ->needs(data);
  app.add_option("--scale", o.scale, "Of images: what they are multiplied by then")
      ->delimiter(',')
      ->check(not_zero())
      ->needs(data);
  app.add_option("--algorithm", o.algorithm,
                 "How far int8 reaches of what --data shows: to the largest element (minmax), as far as loses least "
                 "information (entropy, entropy2), over a share of the elements (percentile), with the least squared "
                 "error (mse)")
      ->check(CLI::IsMember(api::rule_names()))
      ->default_str(api::rule_name(api::CalibrationOptions().rule))
      ->needs(data);
  return data;
}

void add_percentile_flag(CLI::App& app, SampleOptions& o) {
  app.add_option("--percentile", o.percentile, "Share of the elements that --algorithm=percentile keeps")
      ->check(between(50, 100))
      ->default_str(fmt::format("{}", api::CalibrationOptions().percentile));
}

api::CalibrationOptions calibration_options(const SampleOptions& o, bool channels) {
  api::CalibrationOptions options;
  options.channels = channels;
  options.log = log;
  if (!o.algorithm.empty()) options.rule = api::rule_of(o.algorithm);
  if (o.percentile && options.rule != api::RangeRule::kPercentile)
    throw CLI::ValidationError("--percentile", "counts with --algorithm=percentile");
  options.percentile = o.percentile.value_or(options.percentile);
  return options;
}

}  // namespace kiln::tool
