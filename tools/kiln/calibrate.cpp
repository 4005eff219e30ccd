// kiln calibrate: ranges of a model's tensors from data that is like what the engine will see.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "command.h"
#include "histogram.h"

namespace kiln::tool {
namespace {

namespace fs = std::filesystem;

constexpr double kWideError = 0.1;  // relative; layers that read such a tensor should stay in float32
constexpr uint64_t kLargestArray = uint64_t{1} << 36;

struct CalibrateCommand {
  BuildFlags build;
  std::string data, output, format = "kiln";
  RangeRule rule = RangeRule::kEntropy;
  double percentile = 99.99;
  size_t samples = 1000, rows = 10;
};

const std::map<std::string, RangeRule> kRules = {{"minmax", RangeRule::kMinMax},
                                                 {"entropy", RangeRule::kEntropy},
                                                 {"percentile", RangeRule::kPercentile},
                                                 {"mse", RangeRule::kMse}};

std::string name_of(RangeRule rule) {
  for (const auto& [name, known] : kRules)
    if (known == rule) return name;
  return "";
}

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

using Samples = std::vector<api::Values>;

void join_input(Samples& samples, bool is_first, const std::string& input, std::vector<api::HostTensor> values) {
  if (is_first) samples.resize(values.size());
  if (samples.size() != values.size())
    throw api::Failure(
        fmt::format("error[K4002] there are {} values of input '{}' and {} of another\n  remedy: give each input a "
                    "value for each sample",
                    values.size(), input, samples.size()));
  for (size_t i = 0; i < values.size(); ++i) samples[i][input] = std::move(values[i]);
}

Samples read_archive(const std::string& path, const std::vector<api::IoTensor>& inputs) {
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

// Files of a folder: archives, or arrays of a model with one input.
Samples read_folder(const std::string& folder, const std::vector<api::IoTensor>& inputs) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(folder))
    for (const char* ending : {".npz", ".npy", ".pb"})
      if (entry.path().extension() == ending) paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  Samples samples;
  for (const std::string& path : paths) {
    Samples more;
    if (path.ends_with(".npz")) {
      more = read_archive(path, inputs);
    } else {
      if (inputs.size() != 1)
        throw api::Failure("error[K4002] '" + path + "' holds one array, and the model has " +
                           std::to_string(inputs.size()) + " inputs\n  remedy: give .npz files");
      join_input(more, true, inputs[0].name, samples_of(inputs[0], api::load_tensor(path), "'" + path + "'"));
    }
    std::move(more.begin(), more.end(), std::back_inserter(samples));
  }
  return samples;
}

Samples read_samples(const CalibrateCommand& o, const std::vector<api::IoTensor>& inputs) {
  Samples samples = fs::is_directory(o.data) ? read_folder(o.data, inputs) : read_archive(o.data, inputs);
  if (samples.empty())
    throw api::Failure("error[K1004] '" + o.data +
                       "' holds no samples\n  remedy: give .npz, or a folder of .npz, .npy or .pb");
  if (samples.size() > o.samples) samples.resize(o.samples);
  return samples;
}

using Histograms = std::map<std::string, Histogram>;

void observe(const api::Engine& engine, const Samples& samples, Histograms& histograms) {
  api::Session session = engine.create_session();
  session.observe([&](const api::LayerInfo&, const std::string& value, const api::HostTensor& result) {
    if (result.type == "float32") histograms[value].add(result);
  });
  for (size_t i = 0; i < samples.size(); ++i) {
    for (const auto& [name, value] : samples[i]) {
      session.set_input(name, value);
      if (value.type == "float32") histograms[name].add(value);
    }
    session.enqueue();
    session.synchronize();
    if ((i + 1) % 100 == 0) log(api::Level::kInfo, fmt::format("{} of {} samples", i + 1, samples.size()));
  }
}

void print_ranges(const api::Calibration& calibration, size_t rows) {
  std::vector<std::pair<std::string, api::TensorRange>> list(calibration.tensors.begin(), calibration.tensors.end());
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.second.error > b.second.error; });
  const auto wide = std::count_if(list.begin(), list.end(), [](const auto& t) { return t.second.error > kWideError; });
  say(api::Level::kInfo, fmt::format("{} tensors, those with the largest error first:", list.size()));
  say(api::Level::kInfo,
      fmt::format("{:>10} {:>11} {:>11} {:>9} {:>8}  {}", "range", "low", "high", "clipped", "error", "tensor"));
  for (size_t i = 0; i < std::min(rows, list.size()); ++i) {
    const auto& [name, t] = list[i];
    say(api::Level::kInfo, fmt::format("{:10.4g} {:11.4g} {:11.4g} {:7.3f} % {:8.4f}  {}", t.range, t.low, t.high,
                                       100 * t.clipped, t.error, api::printable(name)));
  }
  if (wide > 0)
    say(api::Level::kInfo,
        fmt::format("{} tensors lose more than {:.0f} %: layers that read them should stay in float32 (take their "
                    "lines out of the file)",
                    wide, 100 * kWideError));
}

void run_calibrate(const CalibrateCommand& o) {
  set_loudness(o.build.verbose, o.build.quiet);
  const auto inputs = of_kind(api::model_io(o.build.onnx), true);
  const Samples samples = read_samples(o, inputs);
  BuildFlags flags = o.build;
  flags.brief = true;
  flags.shapes.clear();
  for (const auto& [name, value] : samples[0])
    flags.shapes += (flags.shapes.empty() ? "" : ",") + name + ":" + shape_text(value.dims);
  Histograms histograms;
  observe(build_engine(flags), samples, histograms);
  api::Calibration calibration{name_of(o.rule), {}};
  for (const auto& [name, histogram] : histograms) {
    if (histogram.odd() > 0)
      log(api::Level::kWarning,
          fmt::format("tensor '{}': {} elements are NaN or infinite and were left out (remedy: check the data)",
                      api::printable(name), histogram.odd()));
    const api::TensorRange range = histogram.range(o.rule, o.percentile);
    if (range.range > 0) calibration.tensors[name] = range;
  }
  print_ranges(calibration, o.rows);
  const std::string path = o.output.empty() ? fs::path(o.build.onnx).replace_extension(".calib").string() : o.output;
  api::save_calibration(path, calibration, o.format == "tensorrt");
  say(api::Level::kInfo,
      fmt::format("saved {}: ranges of {} tensors from {} samples by {}; kiln build --int8 --calib={}", path,
                  calibration.tensors.size(), samples.size(), calibration.algorithm, path));
}

}  // namespace

void add_calibrate(CLI::App& app) {
  auto o = std::make_shared<CalibrateCommand>();
  app.add_option("model,--onnx", o->build.onnx, "ONNX model in float32")->required();
  app.add_option("--data", o->data,
                 "Samples: .npz with an array for each input, one value or many along the first axis; or a folder of "
                 ".npz, .npy or .pb")
      ->required();
  app.add_option("-o,--output", o->output, "File of the ranges (default: beside the model, ending in .calib)");
  app.add_option("--algorithm", o->rule, "How far int8 reaches: minmax, entropy, percentile or mse (default: entropy)")
      ->transform(CLI::CheckedTransformer(kRules));
  app.add_option("--percentile", o->percentile, "Of the elements that percentile keeps")
      ->check(CLI::Range(50.0, 100.0))
      ->capture_default_str();
  app.add_option("--samples", o->samples, "Samples at most")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--format", o->format, "Of the file")
      ->check(CLI::IsMember({"kiln", "tensorrt"}))
      ->capture_default_str();
  app.add_option("--rows", o->rows, "Tensors in the table")->capture_default_str();
  app.add_option("--backend", o->build.backend,
                 "Back end that runs the model (kiln list backends); default: the first");
  app.add_flag("--verbose", o->build.verbose, "Log every decision");
  app.add_flag("--quiet", o->build.quiet, "Log warnings and errors only");
  set_footer(
      app,
      "  kiln calibrate resnet50.onnx --data=images.npz && kiln build resnet50.onnx --int8 --calib=resnet50.calib\n"
      "  kiln calibrate bert.onnx --data=batches/ --algorithm=percentile --percentile=99.9\n"
      "  kiln calibrate net.onnx --data=images.npz --format=tensorrt -o net.cache\n");
  app.callback([o] { run_calibrate(*o); });
}

}  // namespace kiln::tool
