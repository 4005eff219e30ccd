// kiln calibrate: ranges of a model's tensors from data that is like what the engine will see.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "progress.h"
#include "samples.h"

namespace kiln::tool {
namespace {

namespace fs = std::filesystem;

constexpr double kWideError = 0.1;  // relative; layers that read such a tensor should stay in float32
constexpr size_t kNamedLosses = 5;

struct CalibrateCommand {
  BuildFlags build;
  std::string output, format = "kiln";
  size_t rows = 10;
  bool channels = false;
};

using NamedRanges = std::vector<std::pair<std::string, api::TensorRange>>;

// Those with a larger error than this, the largest first.
NamedRanges worst_first(const api::Calibration& calibration, double least) {
  NamedRanges list(calibration.tensors.begin(), calibration.tensors.end());
  std::erase_if(list, [least](const auto& t) { return !(t.second.error > least); });
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.second.error > b.second.error; });
  return list;
}

// ", read by 'conv1', 'conv2'", or nothing.
std::string read_by(const api::Products& products, const std::string& tensor) {
  const auto it = products.readers.find(tensor);
  if (it == products.readers.end()) return "";
  std::vector<std::string> names;
  for (const std::string& name : it->second) names.push_back("'" + api::printable(name) + "'");
  return ", read by " + join(names, ", ");
}

void print_ranges(const api::Calibration& calibration, const api::Products& products, size_t rows) {
  const NamedRanges list = worst_first(calibration, -1);
  say(api::Level::kInfo, fmt::format("{} tensors, those with the largest error first:", list.size()));
  say(api::Level::kInfo,
      fmt::format("{:>10} {:>11} {:>11} {:>9} {:>8}  {}", "range", "low", "high", "clipped", "error", "tensor"));
  for (size_t i = 0; i < std::min(rows, list.size()); ++i) {
    const auto& [name, t] = list[i];
    say(api::Level::kInfo, fmt::format("{:10.4g} {:11.4g} {:11.4g} {:7.3f} % {:8.4f}  {}", t.range, t.low, t.high,
                                       100 * t.clipped, t.error, api::printable(name) + read_by(products, name)));
  }
}

// Refuses a model in which no product could use ranges, before the work.
api::Products checked_products(const std::string& model) {
  api::Products products = api::count_products(model);
  if (products.all > 0 && products.quantized == products.all)
    throw api::Failure(
        fmt::format("error[K1002] '{}' is quantized already: there is nothing to calibrate\n  cause: its "
                    "{} products have operands with scales of the model's own\n  remedy: kiln build {} "
                    "--int8, or calibrate the network in float32 that it was made of",
                    model, products.all, model));
  return products;
}

void check_ranges(const api::Calibration& calibration) {
  if (calibration.tensors.empty())
    throw api::Failure(
        "error[K1002] the data give no ranges\n  cause: no tensor of float32 holds a finite number other than 0\n  "
        "remedy: check the data, and --mean and --scale");
}

void run_calibrate(const CalibrateCommand& o) {
  set_loudness(o.build.verbose, o.build.quiet);
  const std::string path = o.output.empty() ? fs::path(o.build.onnx).replace_extension(".calib").string() : o.output;
  check_output(path);
  api::check_calibration_place(path);
  const api::Products products = checked_products(o.build.onnx);
  const api::CalibrationOptions options = calibration_options(o.build.samples, o.channels);
  const Samples samples = read_samples(o.build.samples, of_kind(api::model_io(o.build.onnx), true));
  const api::Calibration calibration = calibrate_model(o.build, samples, options);
  print_ranges(calibration, products, o.rows);
  warn_of_losses(calibration, products);
  api::save_calibration(path, calibration, o.format == "tensorrt");
  say(api::Level::kInfo,
      fmt::format("saved {}: ranges of {} tensors from {} samples by {}; kiln build --int8 --calib={}", path,
                  calibration.tensors.size(), samples.size(), calibration.algorithm, path));
}

}  // namespace

api::Calibration calibrate_model(const BuildFlags& asked, const Samples& samples,
                                 const api::CalibrationOptions& options) {
  BuildFlags flags;
  flags.onnx = asked.onnx;
  flags.backend = asked.backend;
  flags.equalizes = asked.equalizes;
  flags.verbose = asked.verbose;
  flags.quiet = asked.quiet;
  flags.brief = true;
  for (const auto& [name, value] : samples[0])
    flags.shapes += (flags.shapes.empty() ? "" : ",") + name + ":" + shape_text(value.dims);
  const api::Engine engine = build_engine(flags);
  Progress progress(asked.quiet || asked.silent, 0, {"calibrating", "ranges seen in {} of {} samples"});
  size_t used = 0;
  const auto next = [&](api::Values& sample) {
    if (!progress.step(used, samples.size(), fmt::format("sample {}", used + 1)))
      end_interrupted("the calibration was interrupted");
    if (used < samples.size()) sample = samples[used];
    return used++ < samples.size();
  };
  api::Calibration calibration = api::calibrate(engine, next, options);
  check_ranges(calibration);
  calibration.equalized = flags.equalizes;
  return calibration;
}

void warn_of_losses(const api::Calibration& calibration, const api::Products& products) {
  NamedRanges list = worst_first(calibration, kWideError);
  std::erase_if(list, [&](const auto& t) { return products.readers.count(t.first) == 0; });
  std::vector<std::string> worst;
  for (size_t i = 0; i < std::min(kNamedLosses, list.size()); ++i)
    worst.push_back(fmt::format("'{}' ({:.0f} %{})", api::printable(list[i].first), 100 * list[i].second.error,
                                read_by(products, list[i].first)));
  if (list.empty()) return;
  log(api::Level::kWarning,
      fmt::format("{} tensor{} more than {:.0f} % in int8: {}{} (remedy: another --algorithm; --errorBudget; or take "
                  "their lines out of the file of ranges, so that layers that read them stay in float32)",
                  list.size(), list.size() == 1 ? " loses" : "s lose", 100 * kWideError, join(worst, ", "),
                  list.size() > kNamedLosses ? ", …" : ""));
}

void add_calibrate(CLI::App& app) {
  auto o = std::make_shared<CalibrateCommand>();
  app.add_option("model,--onnx", o->build.onnx, "ONNX model in float32")->required();
  add_sample_flags(app, o->build.samples)->required();
  app.add_option("-o,--output", o->output, "File of the ranges (default: beside the model, ending in .calib)");
  add_percentile_flag(app, o->build.samples);
  app.add_flag("--channels", o->channels,
               "Keep mean and largest element of each channel, for --biasCorrection and --smooth of kiln build");
  app.add_flag("--equalize", o->build.equalizes, "Of the network whose layers kiln build --int8 equalizes, too");
  app.add_option("--format", o->format, "Of the file")
      ->check(CLI::IsMember({"kiln", "tensorrt"}))
      ->capture_default_str();
  app.add_option("--rows", o->rows, "Tensors in the table")
      ->check(CLI::Range(int64_t{0}, int64_t{1000000}))
      ->capture_default_str();
  app.add_option("--backend", o->build.backend,
                 "Back end that runs the model (kiln list backends); default: the first");
  app.add_flag("--verbose", o->build.verbose, "Log every decision");
  app.add_flag("--quiet", o->build.quiet, "Log warnings and errors only");
  set_footer(
      app,
      "  kiln calibrate resnet50.onnx --data=images.npz && kiln build resnet50.onnx --int8 --calib=resnet50.calib\n"
      "  kiln calibrate bert.onnx --data=batches/ --algorithm=percentile --percentile=99.9\n"
      "  kiln calibrate resnet50.onnx --data=photos/ --mean=123.7,116.3,103.5 --scale=0.0171,0.0175,0.0174\n"
      "  kiln calibrate net.onnx --data=images.npz --format=tensorrt -o net.cache\n");
  app.callback([o] { run_calibrate(*o); });
}

}  // namespace kiln::tool
