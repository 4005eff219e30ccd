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

struct CalibrateCommand {
  BuildFlags build;
  std::string output, format = "kiln";
  api::RangeRule rule = api::RangeRule::kEntropy;
  double percentile = 99.99;
  size_t rows = 10;
  bool channels = false;
};

std::map<std::string, api::RangeRule> known_rules() {
  std::map<std::string, api::RangeRule> rules;
  for (const auto rule : {api::RangeRule::kMinMax, api::RangeRule::kEntropy, api::RangeRule::kEntropy2,
                          api::RangeRule::kPercentile, api::RangeRule::kMse})
    rules[api::rule_name(rule)] = rule;
  return rules;
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
  check_folder(o.output);
  const Samples samples = read_samples(o.build.samples, of_kind(api::model_io(o.build.onnx), true));
  const api::Calibration calibration = calibrate_model(o.build, samples, {o.rule, o.percentile, o.channels, log});
  print_ranges(calibration, o.rows);
  const std::string path = o.output.empty() ? fs::path(o.build.onnx).replace_extension(".calib").string() : o.output;
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
  calibration.equalized = flags.equalizes;
  return calibration;
}

void add_calibrate(CLI::App& app) {
  auto o = std::make_shared<CalibrateCommand>();
  app.add_option("model,--onnx", o->build.onnx, "ONNX model in float32")->required();
  add_sample_flags(app, o->build.samples)->required();
  app.add_option("-o,--output", o->output, "File of the ranges (default: beside the model, ending in .calib)");
  app.add_option("--algorithm", o->rule,
                 "How far int8 reaches: minmax, entropy, entropy2, percentile or mse (default: entropy)")
      ->transform(CLI::CheckedTransformer(known_rules()));
  const CLI::Option* percentile = app.add_option("--percentile", o->percentile, "Of the elements that percentile keeps")
                                      ->check(CLI::Range(50.0, 100.0))
                                      ->capture_default_str();
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
  app.callback([o, percentile] {
    if (percentile->count() > 0 && o->rule != api::RangeRule::kPercentile)
      throw CLI::ValidationError("--percentile", "counts with --algorithm=percentile");
    run_calibrate(*o);
  });
}

}  // namespace kiln::tool
