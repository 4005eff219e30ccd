// Options of a build, and the build they ask for.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

#include "command.h"
#include "progress.h"
#include "samples.h"

namespace kiln::tool {
namespace {

// Notes when stages and the choice for each layer began and ended.
class Recorder {
 public:
  explicit Recorder(std::vector<BuildFlags::Event>* events) : events_(events) {}
  void step(size_t done, size_t total, const std::string& layer) {
    end(choosing_ ? layer_ : "reading and passes");
    choosing_ = done < total;
    layer_ = layer;
  }
  void end(const std::string& name) {
    const double now = std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
    if (events_) events_->push_back({name, last_, now});
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<BuildFlags::Event>* events_;
  Clock::time_point start_ = Clock::now();
  double last_ = 0;
  bool choosing_ = false;
  std::string layer_;
};

constexpr std::string_view kBlock = "block=";

struct ParsedProfile {
  Shapes min, opt, max;
};

const std::vector<int64_t>* find_shape(const Shapes& shapes, const std::string& name) {
  auto it = shapes.find(name);
  return it == shapes.end() ? nullptr : &it->second;
}

// What is not given is taken from what is: the optimum from the largest, then the smallest; those from the optimum.
api::Profile make_profile(const ParsedProfile& given, const Shapes& shapes, const std::vector<api::IoTensor>& inputs,
                          bool first) {
  api::Profile profile;
  for (const api::IoTensor& io : inputs) {
    const auto *min = find_shape(given.min, io.name), *opt = find_shape(given.opt, io.name),
               *max = find_shape(given.max, io.name);
    if (!min && !opt && !max) min = opt = max = find_shape(shapes, io.name);
    if (!opt) opt = max ? max : min;
    std::vector<int64_t> ones = io.dims;
    if (!opt) {
      if (std::count(io.dims.begin(), io.dims.end(), -1) == 0) continue;
      std::replace(ones.begin(), ones.end(), int64_t{-1}, int64_t{1});
      if (first)
        log(api::Level::kWarning, "input '" + io.name + "' has dynamic dimensions and no shape; using " +
                                      shape_text(ones) + " (remedy: --shapes=" + io.name + ":…)");
      opt = &ones;
    }
    profile[io.name] = {min ? *min : *opt, *opt, max ? *max : *opt};
  }
  return profile;
}

ParsedProfile parse_profile(const BuildFlags::ProfileShapes& text, const std::vector<api::IoTensor>& inputs) {
  const auto parse = [&](const char* option, const std::string& shapes) {
    Shapes parsed = parse_shapes(option, shapes);
    check_names(option, parsed, inputs);
    return parsed;
  };
  return {parse("--minShapes", text.min), parse("--optShapes", text.opt), parse("--maxShapes", text.max)};
}

void select_profile(BuildFlags& flags, size_t profile) {
  if (profile > flags.profiles.size())
    throw CLI::ValidationError(
        "--profile", "the shapes of profile " + std::to_string(profile) + " are given before those of profile " +
                         std::to_string(flags.profiles.size()) + "; --useOptimizationProfile=" +
                         std::to_string(profile) + " chooses one of the profiles that an engine has");
  flags.profile = profile;
  flags.profiles.resize(std::max(flags.profiles.size(), profile + 1));
}

// Of shapes that the first profile takes.
Samples samples_for(const BuildFlags& flags, const std::vector<api::Profile>& profiles) {
  auto inputs = of_kind(api::model_io(flags.onnx), true);
  const api::Profile first = profiles.empty() ? api::Profile() : profiles[0];
  for (api::IoTensor& io : inputs)
    if (const auto bounds = first.find(io.name); bounds != first.end()) io.profiles = {bounds->second};
  return read_samples(flags.samples, inputs);
}

// Ranges of tensors that this network has not, or that were seen in another form of it. Passes make some of a calibrated network's own.
void warn_of_strangers(const BuildFlags& flags, const api::Calibration& calibration, const api::Products& products) {
  const auto& tensors = calibration.tensors;
  const auto strange = std::count_if(tensors.begin(), tensors.end(),
                                     [&](const auto& t) { return products.tensors.count(t.first) == 0; });
  if (2 * strange >= std::ssize(tensors))
    log(api::Level::kWarning,
        fmt::format("{} of the {} tensors of '{}' are none of '{}', so that the file may be another network's "
                    "(remedy: kiln calibrate {})",
                    strange, tensors.size(), flags.calibration, flags.onnx, flags.onnx));
  if (flags.equalizes && !calibration.equalized)
    throw api::Failure(
        "error[K1002] '" + flags.calibration +
        "' has the ranges of layers that were not equalized, with which --equalize is inexact\n  remedy: "
        "kiln calibrate --equalize, or leave --equalize out");
}

// What --int8 lets products compute by.
void put_int8(const BuildFlags& flags, const Samples& samples, api::BuildOptions& options) {
  if (flags.error_budget > 0 && !flags.device_profile.empty())
    throw CLI::ValidationError("--errorBudget", "it runs the engine, for which --deviceProfile needs no device here");
  options.equalizes = flags.equalizes;
  options.compares_int8 = !flags.keeps_int8;
  const bool known = !flags.calibration.empty() || !samples.empty(), allowed = flags.int8 || flags.best;
  std::vector<std::string> idle;  // options that were given for ranges that nobody gave
  for (const auto& [given, name] :
       {std::pair{flags.corrects_bias, "--biasCorrection"}, {flags.smoothing > 0, "--smooth"}})
    if (given && !(known && allowed)) idle.push_back(name);
  if (!idle.empty())
    log(api::Level::kWarning, join(idle, ", ") + ": no effect without ranges (remedy: --int8 with --calib or --data)");
  if (!known && flags.int8)
    say(api::Level::kInfo, "--int8: without --calib or --data only what the model quantizes itself computes in int8");
  if (flags.keeps_int8 && !(known && allowed) && api::count_products(flags.onnx).quantized == 0)
    log(api::Level::kWarning,
        "--keepInt8: no effect, for nothing computes in int8 (remedy: --int8 with --calib or --data)");
  if (!known) return;
  if (!allowed) return log(api::Level::kWarning, "--calib and --data have no effect without --int8 (remedy: --int8)");
  if (!flags.calibration.empty()) {
    for (const auto& [given, name] : {std::pair{!samples.empty() && flags.error_budget <= 0, "--data"},
                                      {!flags.samples.algorithm.empty(), "--algorithm"}})
      if (given)
        log(api::Level::kWarning,
            std::string(name) + ": no effect beside --calib, which has the ranges (remedy: leave out one of them)");
  }
  const bool channels = flags.corrects_bias || flags.smoothing > 0;
  const api::Calibration calibration =
      flags.calibration.empty() ? calibrate_model(flags, samples, calibration_options(flags.samples, channels))
                                : api::load_calibration(flags.calibration);
  const api::Products products = api::count_products(flags.onnx);
  warn_of_losses(calibration, products);
  if (!flags.calibration.empty()) warn_of_strangers(flags, calibration, products);
  for (const auto& [name, tensor] : calibration.tensors) {
    options.ranges[name] = tensor.range;
    if (!tensor.channels.mean.empty()) options.channels[name] = tensor.channels;
  }
  if (options.channels.empty() && channels)
    throw api::Failure("error[K1002] '" + flags.calibration +
                       "' does not tell the channels of tensors, which --biasCorrection and --smooth need\n  remedy: "
                       "kiln calibrate --channels");
  options.corrects_bias = flags.corrects_bias;
  options.smoothing = flags.smoothing;
  options.equalizes = options.equalizes || calibration.equalized;
}

// "int4:block=32", "int8".
void put_weights(const std::string& text, api::BuildOptions& options) {
  if (text.empty()) return;
  const size_t colon = text.find(':');
  const std::string type = text.substr(0, colon), rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  options.weight_bits = type == "int4" ? 4 : type == "int8" ? 8 : 0;
  bool sound = options.weight_bits > 0 && (colon == std::string::npos || rest.starts_with(kBlock));
  if (sound && colon != std::string::npos) {
    const char *begin = rest.data() + kBlock.size(), *end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(begin, end, options.weight_block);
    sound = error == std::errc() && stop == end && options.weight_block > 0;
  }
  if (!sound)
    throw CLI::ValidationError("--weights", "'" + text + "' is not int4 or int8, with :block=N behind it or not");
}

// Lets layers stay in float32 as --errorBudget asks, and shows what each does.
void put_budget(const BuildFlags& flags, const Samples& samples, api::BuildOptions& options) {
  if (flags.error_budget <= 0) return;
  if (options.ranges.empty() || samples.empty())
    throw CLI::ValidationError("--errorBudget", "it counts with --int8 and --data of kiln build or kiln bench");
  const api::BudgetReport report = api::keep_within_error(options, samples, flags.error_budget);
  say(api::Level::kInfo, fmt::format("error in int8 {:.4g}, allowed {:.4g}", report.error_of_all, flags.error_budget));
  if (report.layers.empty()) return;
  say(api::Level::kInfo, fmt::format("{:>10} {:>10}  {:<8} {}", "error", "saved µs", "type", "layer"));
  for (const api::LayerEffect& l : report.layers)
    say(api::Level::kInfo, fmt::format("{:10.4g} {:10.2f}  {:<8} {}", l.error, l.saved_us,
                                       l.stays_wide ? "float32" : "int8", api::printable(l.layer)));
  say(api::Level::kInfo, fmt::format("error with those in float32: {:.4g}", report.error));
  if (report.error > flags.error_budget)
    log(api::Level::kWarning, "the error stays above the budget with all of them in float32");
}

// An engine that its device has no room for can be built all the same.
void warn_of_memory(const api::Engine& engine) {
  const api::DeviceInfo device = api::devices_tried(engine.backend()).back();
  const double bytes = engine.input_bytes() + static_cast<double>(engine.context_bytes());
  if (device.memory <= 0 || bytes <= static_cast<double>(device.memory)) return;
  log(api::Level::kWarning,
      fmt::format(
          "inputs and values of the largest shapes take {}, and {} has {} (remedy: smaller --shapes or --maxShapes)",
          bytes_text(bytes), device.name, bytes_text(static_cast<double>(device.memory))));
}

}  // namespace

std::vector<api::Profile> make_profiles(const BuildFlags& flags) {
  const auto inputs = of_kind(api::model_io(flags.onnx), true);
  const Shapes shapes = parse_shapes("--shapes", flags.shapes);
  check_names("--shapes", shapes, inputs);
  std::vector<api::Profile> profiles;
  for (const BuildFlags::ProfileShapes& text : flags.profiles) {
    const ParsedProfile parsed = parse_profile(text, inputs);
    const Shapes own = parse_shapes("--shapes", text.shapes);
    check_names("--shapes", own, inputs);
    profiles.push_back(make_profile(parsed, own.empty() ? shapes : own, inputs, profiles.empty()));
  }
  if (profiles.size() == 1 && profiles[0].empty()) profiles.clear();
  return profiles;
}

namespace {

constexpr std::pair<const char*, const char*> kTypeNames[] = {
    {"fp32", "float32"}, {"fp16", "float16"}, {"bf16", "bfloat16"}};

void put_precisions(const BuildFlags& flags, api::BuildOptions& options) {
  options.obey_precisions = flags.precision_constraints == "obey";
  std::vector<std::pair<std::string, std::string>> layers;
  for (const std::string& item : split(flags.layer_precisions, ',')) {
    const size_t colon = item.rfind(':');
    const std::string type = colon == std::string::npos ? "" : item.substr(colon + 1);
    const auto* known =
        std::find_if(std::begin(kTypeNames), std::end(kTypeNames), [&](const auto& t) { return type == t.first; });
    if (colon == 0 || known == std::end(kTypeNames))
      throw CLI::ValidationError("--layerPrecisions",
                                 "'" + item + "' is not a layer and a type: name:fp32, name:fp16 or name:bf16");
    layers.emplace_back(item.substr(0, colon), known->second);
  }
  if (flags.precision_constraints != "none") options.layer_precisions = std::move(layers);
  else if (!layers.empty())
    log(api::Level::kWarning, "--layerPrecisions counts only with --precisionConstraints=prefer or obey");
}

// "64" is MiB, "512K", "1G"; nothing when it is no size.
std::optional<int64_t> bytes_of(const std::string& size) {
  double number = 0;
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), number);
  const std::string unit(end, size.data() + size.size());
  constexpr std::string_view kUnits = "BKMG";
  const size_t power = unit.empty() ? 2 : unit.size() == 1 ? kUnits.find(unit[0]) : std::string_view::npos;
  if (error != std::errc() || power == std::string_view::npos) return std::nullopt;
  const double bytes = number * std::pow(1024, static_cast<double>(power));
  return bytes >= 0 && bytes <= 1e18 ? std::optional(static_cast<int64_t>(bytes)) : std::nullopt;
}

// 0 when it is not given.
int64_t memory_limit_of(const std::string& size) {
  if (size.empty()) return 0;
  const auto bytes = bytes_of(size);
  if (!bytes || *bytes == 0)
    throw CLI::ValidationError("--buildMemory", "'" + size + "' is not a size, as in 512 (MiB) or 2G");
  return *bytes;
}

// Bytes of the pool "workspace" in "workspace:64,tacticDRAM:1G"; -1 when it is not named.
int64_t workspace_of(const std::string& pools) {
  int64_t workspace = -1;
  for (const std::string& item : split(pools, ',')) {
    const size_t colon = item.find(':');
    const std::string pool = item.substr(0, colon), size = colon == std::string::npos ? "" : item.substr(colon + 1);
    const auto bytes = bytes_of(size);
    if (!bytes)
      throw CLI::ValidationError("--memPoolSize",
                                 "'" + item + "' is not a pool and a size, as in workspace:64 (MiB) or workspace:512K");
    if (pool == "workspace") workspace = *bytes;
    else log(api::Level::kWarning, "--memPoolSize: the pool '" + pool + "' has no limit here");
  }
  return workspace;
}

}  // namespace

void add_build_flags(CLI::App& app, BuildFlags& f) {
  std::vector<CLI::Option*> options;
  // Options that belong to the profile which was named last.
  auto of_profile = [&](const std::string& name, std::string BuildFlags::ProfileShapes::*member, const char* help) {
    auto set = [&f, member](const std::string& text) { f.profiles[f.profile].*member = text; };
    options.push_back(app.add_option_function<std::string>(name, set, help)->trigger_on_parse());
  };
  auto add = [&](CLI::Option* option) { options.push_back(option); };
  add(app.add_option("--backend", f.backend,
                     "Back end that runs the engine (kiln list backends); default: the first that is there"));
  add(app.add_option("--deviceProfile", f.device_profile,
                     "Build for the device of this file, which `kiln list devices` wrote elsewhere and which this "
                     "machine need not have; "
                     "nothing is measured: times come from that file and from --timingCacheFile"));
  add(app.add_option_function<std::string>(
             "--shapes", [&f](const std::string& text) { f.shapes = f.profiles[f.profile].shapes = text; },
             "Shapes of inputs, name:1x3x8x8,…: of the profile where no min, opt or max is given, and of the "
             "inference; "
             "behind --profile of that one")
          ->trigger_on_parse());
  add(app.add_option_function<size_t>(
             "--profile", [&f](const size_t& profile) { select_profile(f, profile); },
             "Optimisation profile that the min, opt and max shapes after it belong to (default 0)")
          ->trigger_on_parse());
  of_profile("--minShapes", &BuildFlags::ProfileShapes::min, "Smallest shapes of dynamic inputs, name:1x3x8x8,…");
  of_profile("--optShapes", &BuildFlags::ProfileShapes::opt, "Shapes that the engine is tuned for");
  of_profile("--maxShapes", &BuildFlags::ProfileShapes::max, "Largest shapes");
  add(app.add_option("--inputIOFormats", f.input_formats,
                     "How programs place inputs in memory: one format for all, or one for each in order, with its type "
                     "or without: "
                     "chw, chw2, hwc8, chw4, chw16, chw32, dhwc8, cdhw32, hwc, hwc16 or dhwc, as in fp16:hwc8,chw; "
                     "chw4+hwc8 allows both (default: chw in the model's types)"));
  add(app.add_option("--outputIOFormats", f.output_formats,
                     "The same for outputs; files of this program stay row-major"));
  add(app.add_flag("--fp16", f.fp16, "What the model has in float32 may be computed in float16"));
  add(app.add_flag("--bf16", f.bf16, "What the model has in float32 may be computed in bfloat16"));
  add(app.add_flag("--int8", f.int8, "Products may compute in int8 where ranges are known: see --calib"));
  add(app.add_option("--calib", f.calibration,
                     "Ranges of tensors for --int8, as kiln calibrate or TensorRT wrote them"));
  add(app.add_flag(
      "--keepInt8", f.keeps_int8,
      "Products stay in int8 also where float32 is faster, which is not measured then; of quantized models, too"));
  add(app.add_flag("--biasCorrection", f.corrects_bias,
                   "Biases make up for what int8 weights change of the mean; for ranges with channels"));
  add(app.add_option("--smooth", f.smoothing,
                     "How far channels of what products read in int8 are made alike, 0 to 1: SmoothQuant's alpha; for "
                     "ranges with channels")
          ->check(between(0, 1)));
  add(app.add_flag(
      "--equalize", f.equalizes,
      "Channels between convolutions are made alike before they are quantized, as when they were calibrated"));
  add(app.add_option(
             "--errorBudget", f.error_budget,
             "Layers stay in float32, the most harmful for each microsecond first, until results in int8 differ "
             "so much at most: |difference| / |result|, on the samples of kiln build")
          ->check(positive()));
  add(app.add_option("--weights", f.weights,
                     "Products keep float32 weights as int4 or int8, with a scale for each block of a column: "
                     "int4:block=32"));
  add(app.add_flag("--best", f.best, "All types that are fast are allowed: float16, and int8 where ranges are given"));
  add(app.add_flag("--noTF32", f.no_tf32, "Float32 products do not round their operands to TF32"));
  add(app.add_option("--builderOptimizationLevel", f.level,
                     "0 takes the first tactic that fits, 5 measures all, also those that compile for up to a minute a "
                     "layer (cudnn_compiled)")
          ->check(CLI::Range(0, 5))
          ->capture_default_str());
  add(app.add_option("--avgTiming", f.average, "Measurements per tactic, at least")
          ->check(CLI::Range(1, 1000))
          ->capture_default_str());
  add(app.add_option("--buildTime", f.build_time, "Seconds of measuring at most; 0: no limit")
          ->check(not_negative())
          ->capture_default_str());
  add(app.add_option("--buildTimeLimit", f.build_limit, "Seconds of the whole build; one that takes longer fails")
          ->check(positive())
          ->capture_default_str());
  add(app.add_option("--buildMemory", f.build_memory,
                     "What the build may hold at once beside the model, in MiB or with B, K, M, G behind it; one that "
                     "wants more fails; as much as the machine has when not given"));
  add(app.add_flag("--partialEngine", f.partial,
                   "Ctrl-C ends the measuring, not the build: the remaining layers take their first tactic"));
  add(app.add_option("--timingCacheFile", f.timing_cache,
                     "File of measured times, and of kernels that were compiled for layers: read if it exists, written "
                     "after the build"));
  add(app.add_flag("--noTimingCache,--noBuilderCache", f.no_timing_cache, "Measure every layer anew"));
  add(app.add_flag("--noCompilationCache", f.no_compilation_cache,
                   "Neither take kernels from --timingCacheFile nor leave them there: they run as they stand, so for a "
                   "file that strangers wrote"));
  add(app.add_flag("--errorOnTimingCacheMiss", f.cache_only,
                   "Measure nothing; a layer without a time in the cache is an error"));
  add(app.add_option("--maxTactics", f.max_tactics,
                     "Tactics that are measured for a layer at most; -1: as the level says")
          ->check(CLI::Range(-1, 1000000))
          ->capture_default_str());
  add(app.add_option(
             "--maxAuxStreams", f.aux_streams,
             "Streams beside the caller's in which independent layers may run, at most; 0: none; -1: up to 4, where "
             "the engine is measured to be faster")
          ->check(CLI::Range(-1, 1000000))
          ->capture_default_str());
  add(app.add_option(
      "--disable", f.disable,
      "Rules and tactics to leave out, a,b,c (names: kiln list; onednn, cudnn: all that use that library)"));
  add(app.add_option("--stop-after", f.stop_after, "Stop rewriting after this many patches, to bisect a fault; -1: all")
          ->check(CLI::Range(int64_t{-1}, INT64_MAX))
          ->capture_default_str());
  add(app.add_option("--dump", f.dump, "Print the graph after a stage")
          ->check(CLI::IsMember({"import", "canonicalize", "quantize", "precision", "fuse", "formats", "final"})));
  add(app.add_option(
      "--dumpFile", f.dump_file,
      "Write that graph to a file instead (.kir), which can be built; large constants lie in FILE.weights"));
  add(app.add_option("--markDebug", f.mark_debug,
                     "Values that no fusion may swallow, a,b,c: debug tensors, which `kiln bench` saves"));
  add(app.add_flag("--markUnfusedTensorsAsDebugTensors", f.mark_all_debug,
                   "Every result of a layer is a debug tensor"));
  add(app.add_option_function<std::string>(
      "--workspace", [&f](const std::string& size) { f.memory = "workspace:" + size; },
      "The same as --memPoolSize=workspace:SIZE"));
  add(app.add_option("--memPoolSize", f.memory,
                     "workspace:SIZE: what a layer may take beside its operands, in MiB or with B, K, M, G behind it; "
                     "other pools have no limit here"));
  add(app.add_option(
      "--layerPrecisions", f.layer_precisions,
      "Types in which single layers compute, name:fp32,conv*:fp16,…; counts with --precisionConstraints"));
  add(app.add_option("--precisionConstraints", f.precision_constraints,
                     "What --layerPrecisions is: none (ignored), prefer (else a warning), obey (else an error)")
          ->check(CLI::IsMember({"none", "prefer", "obey"}))
          ->capture_default_str());
  add(app.add_option(
             "--cpuThreads", f.threads,
             "Threads that compute in each stream; 0: as many as there are processors, shared among the streams")
          ->check(CLI::Range(0, 1024))
          ->capture_default_str());
  for (CLI::Option* option : options) option->group(kBuildGroup);
  app.add_flag("--verbose", f.verbose, "Log every decision");
  app.add_flag("--quiet", f.quiet, "Log warnings and errors only");
  app.parse_complete_callback([&f, options] {
    for (const CLI::Option* option : options)
      if (option->count() > 0) f.given.push_back("--" + option->get_lnames()[0]);
  });
}

void check_unbuilt(const BuildFlags& flags, const api::Engine& engine) {
  check_names("--shapes", parse_shapes("--shapes", flags.shapes), engine.io());
  for (const BuildFlags::ProfileShapes& text : flags.profiles) parse_profile(text, of_kind(engine.io(), true));
  std::vector<std::string> without;
  for (const std::string& option : flags.given)
    if (option != "--shapes" && option != "--cpuThreads") without.push_back(option);
  if (!without.empty())
    log(api::Level::kWarning, join(without, ", ") +
                                  ": only a build heeds this, and the engine is built already (remedy: "
                                  "build it again from the model)");
}

void check_runs_here(const BuildFlags& flags) {
  if (flags.device_profile.empty()) return;
  throw api::Failure("error[K3003] an engine for the device of '" + flags.device_profile +
                     "' does not run here\n  cause: --deviceProfile builds for a device that this machine need not "
                     "have\n  remedy: kiln build, or kiln bench --skipInference --saveEngine=FILE, and then kiln bench "
                     "--loadEngine=FILE on a machine that has the device");
}

api::Engine build_engine(const BuildFlags& flags) {
  check_output(flags.dump_file);
  api::BuildOptions options;
  options.onnx = flags.onnx;
  options.backend = flags.backend;
  options.device_profile = flags.device_profile;
  options.optimization_level = flags.level;
  options.average_iterations = flags.average;
  options.max_threads = flags.threads;
  if (flags.build_time > 0) options.time_budget_s = flags.build_time;
  options.timing_cache = flags.timing_cache;
  options.use_timing_cache = !flags.no_timing_cache;
  options.use_compilation_cache = !flags.no_compilation_cache;
  options.timing_cache_only = flags.cache_only;
  options.max_candidates = flags.max_tactics;
  options.max_aux_streams = flags.aux_streams;
  const bool half = flags.fp16 || flags.best, brain = flags.bf16 || flags.best;
  options.precision = half && brain ? "float16+bfloat16" : half ? "float16" : brain ? "bfloat16" : "float32";
  options.tf32 = !flags.no_tf32;
  put_precisions(flags, options);
  options.workspace = workspace_of(flags.memory);
  options.profiles = make_profiles(flags);
  put_weights(flags.weights, options);
  if (options.weight_bits > 0 && flags.error_budget > 0)
    throw CLI::ValidationError("--weights",
                               "does not go with --errorBudget: what stays in float32 by the budget has its "
                               "weights in float32, too (remedy: leave out one of them)");
  const Samples samples = flags.samples.data.empty() ? Samples() : samples_for(flags, options.profiles);
  put_int8(flags, samples, options);
  options.time_limit_s = flags.build_limit;
  options.memory_limit = memory_limit_of(flags.build_memory);
  options.stop_after = flags.stop_after;
  options.debug_tensors = split(flags.mark_debug, ',');
  options.debug_all = flags.mark_all_debug;
  options.disabled = split(flags.disable, ',');
  options.keep_graph = flags.keep_graph;
  options.log = log;
  if (flags.brief)
    options.log = [](api::Level level, const std::string& text) {
      log(level == api::Level::kInfo ? api::Level::kVerbose : level, text);
    };
  if (flags.silent) options.log = nullptr;
  Progress progress(flags.quiet || flags.silent, flags.build_time);
  Recorder recorder(flags.events.get());
  options.progress = [&](size_t done, size_t total, const std::string& layer) {
    recorder.step(done, total, layer);
    return progress.step(done, total, layer) || flags.partial;
  };
  if (flags.partial) options.enough = [&] { return progress.interrupted(); };
  else options.stop = [&] { return progress.interrupted(); };
  options.dump_stage = flags.dump;
  options.dump_file = flags.dump_file;
  if (!flags.dump_file.empty() && flags.dump.empty())
    throw CLI::ValidationError("--dumpFile", "--dump says the graph of which stage");
  if (!flags.dump.empty() && flags.dump_file.empty())
    options.dump = [](const std::string& text) { std::fputs(text.c_str(), stdout); };
  options.input_formats = flags.input_formats;
  options.output_formats = flags.output_formats;
  put_budget(flags, samples, options);
  try {
    api::Engine engine = api::Engine::build(options);
    recorder.end("writing");
    warn_of_memory(engine);
    if (progress.interrupted())
      log(api::Level::kWarning,
          "the measuring was interrupted: layers that it had not come to have their first tactic (remedy: build again "
          "with --timingCacheFile, which keeps what was measured)");
    return engine;
  } catch (const api::Failure&) {
    if (!progress.interrupted()) throw;
    end_interrupted("the build was interrupted" +
                    (flags.timing_cache.empty() || flags.no_timing_cache
                         ? std::string(" (--timingCacheFile=FILE would have kept what it measured)")
                         : "; what it measured is in " + flags.timing_cache));
  }
}

}  // namespace kiln::tool
