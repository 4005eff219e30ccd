// The table of trtexec's options.
#include "trtexec_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

namespace kiln::tool {
namespace {

constexpr const char* kModelsTypes = "permitted; {} each layer computes in the types of the model";
constexpr const char* kNoDla = "there is no DLA";
constexpr const char* kNoRefit = "engines cannot be refitted or stripped yet (docs/status.md, \"Not done yet\": refit)";
constexpr const char* kNoStreaming =
    "weights are mapped from the file, not streamed (docs/status.md, \"Not done yet\")";
constexpr const char* kNoPlugins = "there are no plugins yet (docs/status.md, \"Not done yet\": plugins)";
constexpr const char* kNoRoutes = "the tuner's search is set by --builderOptimizationLevel and --avgTiming alone";
constexpr const char* kOneRuntime = "every engine runs on the one run-time library of its version";
constexpr const char* kNoCopies = "the device reads inputs where they lie; nothing is copied";

struct Ineffective {
  const char* names;  // as CLI11 takes them
  bool takes_value;
  const char* reason;  // why it does nothing; {} stands for "on the back end 'name'"
};

constexpr Ineffective kIneffective[] = {
    {"--fp8", false, kModelsTypes},
    {"--int4", false, kModelsTypes},
    {"--stronglyTyped", false, "always so: each layer computes in the types of the model"},
    {"--layerOutputTypes", true, "the type between two layers follows from what they compute in (--layerPrecisions)"},
    {"--layerDeviceTypes", true, kNoDla},
    {"--noCudaGraph", false, "always so without --useCudaGraph"},
    {"--noDataTransfers", false, "always so without --includeDataTransfers"},
    {"--useManagedMemory", false, "inputs and outputs lie in the device's memory"},
    {"--useSpinWait", false, "how the host waits is the device's matter"},
    {"--noSpinWait", false, "how the host waits is the device's matter"},
    {"--separateProfileRun", false, "always so"},
    {"--explicitBatch", false, "always so"},
    {"--threads", false, "always so: each stream has a thread"},
    {"--maxBatch", true, "batches are explicit; --shapes gives them"},
    {"--batch", true, "batches are explicit; --shapes gives them"},
    {"--allocationStrategy", true, "a context has memory for the largest shapes of all profiles"},
    {"--persistentCacheRatio", true, "no part of a cache is set aside"},
    {"--l2LimitForTiling", true, kNoRoutes},
    {"--tilingOptimizationLevel", true, kNoRoutes},
    {"--preview", true, "there are no preview features"},
    {"--hardwareCompatibilityLevel", true, "an engine runs on the kind of device that it was built on"},
    {"--runtimePlatform", true, "an engine runs on the platform that it was built on"},
    {"--profilingVerbosity", true, "engines hold the names and tactics of all layers"},
    {"--versionCompatible,--vc", false, kOneRuntime},
    {"--excludeLeanRuntime", false, kOneRuntime},
    {"--leanDLLPath", true, kOneRuntime},
    {"--useRuntime", true, kOneRuntime},
    {"--tempdir", true, "temporary files lie in the folder that the environment's TMPDIR names, and go with the build"},
    {"--tempfileControls", true,
     "temporary files lie in the folder that the environment's TMPDIR names, and go with the build"},
    {"--asyncFileReader", false, "an engine is mapped, not read"},
    {"--directIO", false, "a layer converts where it computes in another format than an input or output has"},
    {"--dumpKernelText", false, "the text of generated kernels is not shown"},
    {"--cpuOnly", false, "--backend names the device that an engine is built for"},
    {"--pi,--pluginInstanceNorm", false, "InstanceNormalization has tactics of its own"},
    {"--decomposableAttentions", true, "attention that no tactic takes runs as its parts"},
    {"--safe", false, "there is no restricted mode"},
    {"--consistency", false, "there is no restricted mode"},
    {"--safetyPlugins", true, kNoPlugins},
    {"--staticPlugins,--plugins", true, kNoPlugins},
    {"--dynamicPlugins", true, kNoPlugins},
    {"--setPluginsToSerialize", true, kNoPlugins},
    {"--ignoreParsedPluginLibs", false, kNoPlugins},
    {"--enablePluginOverride", false, kNoPlugins},
    {"--useDLACore", true, kNoDla},
    {"--allowGPUFallback", false, kNoDla},
    {"--buildDLAStandalone", false, kNoDla},
    {"--adjustForDLA", false, kNoDla},
    {"--uint8AsymmetricQuantizationDLA", false, kNoDla},
    {"--reportCapabilityDLA", false, kNoDla},
    {"--refit", false, kNoRefit},
    {"--refitFromOnnx", true, kNoRefit},
    {"--dumpRefit", false, kNoRefit},
    {"--timeRefit", false, kNoRefit},
    {"--stripWeights", false, kNoRefit},
    {"--stripAllWeights", false, kNoRefit},
    {"--allowWeightStreaming", false, kNoStreaming},
    {"--weightStreamingBudget", true, kNoStreaming},
    {"--remoteAutoTuningConfig", true, kNoRoutes},
    {"--setBuildRoute", true, kNoRoutes},
    {"--tuneBuildRoutes", true, kNoRoutes},
    {"--tuneBuildRouteFile", true, kNoRoutes},
    {"--helpBuildRoute", false, kNoRoutes},
    {"--tuningCacheFile", true, kNoRoutes},
    {"--tuningSearch", true, kNoRoutes},
    {"--tuningTimeOut", true, kNoRoutes},
    {"--saveAllEngines", true, kNoRoutes},
    {"--continue", false, kNoRoutes},
    {"--accuracyAlgorithm", true, "--loadRefOutputs with --rtol and --atol compares; so does `kiln compare`"},
    {"--accuracyThreshold", true, "--loadRefOutputs with --rtol and --atol compares; so does `kiln compare`"},
    {"--refPair", true, "--loadInputs and --loadRefOutputs give one pair"},
    {"--sleepTime", true, "--idleTime sleeps between inferences"},
};

CLI::Validator check_forms() {
  const auto check = [](const std::string& text) {
    const std::vector<std::string> known{"summary", "numpy", "string", "raw"};
    for (const std::string& form : split(text, ','))
      if (std::find(known.begin(), known.end(), form) == known.end())
        return "'" + form + "' is none of " + join(known, ", ") + did_you_mean(form, known);
    return std::string();
  };
  return CLI::Validator(check, "FORMS");
}

// trtexec's sources of tactics, each with the tactic here that is such; empty: there is none.
const std::map<std::string, std::string> kTacticSources = {{"CUBLAS", ""},
                                                           {"CUBLAS_LT", "cublaslt"},
                                                           {"CUDNN", "cudnn"},
                                                           {"EDGE_MASK_CONVOLUTIONS", ""},
                                                           {"JIT_CONVOLUTIONS", ""}};

CLI::Validator check_sources() {
  const auto check = [](const std::string& text) {
    std::vector<std::string> known;
    for (const auto& [name, tactic] : kTacticSources) known.push_back(name);
    for (const std::string& source : split(text, ',')) {
      if (source[0] != '+' && source[0] != '-') return "'" + source + "' begins with neither + nor -";
      if (!kTacticSources.count(source.substr(1)))
        return "'" + source.substr(1) + "' is none of " + join(known, ", ") + did_you_mean(source.substr(1), known);
    }
    return std::string();
  };
  return CLI::Validator(check, "SOURCES");
}

std::string placed(std::string reason, const std::string& where) {
  const size_t at = reason.find("{}");
  return at == std::string::npos ? reason : reason.replace(at, 2, where);
}

// Those that only a measurement heeds.
void add_measuring_options(CLI::App& app, TrtexecOptions& o, const std::function<void(CLI::Option*)>& add) {
  add(app.add_flag("--useCudaGraph", o.use_graph, "Capture an inference once and replay it as a graph"));
  add(app.add_flag("--getPlanVersionOnly", o.plan_version_only, "Print the version that built the engine, and end"));
  add(app.add_flag("--timeDeserialize", o.time_deserialize, "Print how long loading takes, and end"));
  add(app.add_flag("--dumpOptimizationProfile", o.dump_profiles, "Print the profiles of the engine"));
  add(app.add_flag("--dumpRawBindingsToFile", o.raw_bindings, "Write the bytes of all inputs and outputs to files"));
  add(app.add_flag("--monitorMemory", o.monitor_memory,
                   "Print the most memory that the process held, and what is taken of the device's"));
  add(app.add_flag(
      "--includeDataTransfers", o.include_transfers,
      "Copy inputs to the device and outputs from it, beside the inferences before and behind, and time it"));
  add(app.add_flag("--exposeDMA", o.exposes_copies,
                   "With --includeDataTransfers: nothing runs beside copies, one inference behind the other"));
  add(app.add_option("--saveDebugTensors", o.save_debug,
                     "Results of layers to save, name:file,… (.npy, .pb, else raw bytes); the first NaN is named"));
  add(app.add_option("--saveAllDebugTensors", o.save_all_debug,
                     "Save all debug tensors in the forms summary, numpy, string, raw (a,b,c)")
          ->check(check_forms()));
  add(app.add_option("--loadRefOutputs", o.references,
                     "Expected outputs, as --loadInputs; exit code 1 when one differs"));
  add(app.add_option("--rtol", o.rtol, "Relative tolerance of --loadRefOutputs")
          ->check(not_negative())
          ->capture_default_str());
  add(app.add_option("--atol", o.atol, "Absolute tolerance of --loadRefOutputs, times the output's largest element")
          ->check(not_negative())
          ->capture_default_str());
}

struct Place {
  std::string backend;  // empty when only a number was given
  int ordinal = -1;     // negative when the text is no place
};

Place parse_place(const std::string& text) {
  const size_t colon = text.find(':');
  const bool numbered = text.find_first_not_of("0123456789") == std::string::npos;
  Place place{.backend = numbered ? "" : text.substr(0, colon)};
  const std::string number = numbered ? text : colon == std::string::npos ? "0" : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), place.ordinal);
  const bool whole = error == std::errc() && end == number.data() + number.size();
  if (!whole || (!numbered && place.backend.empty())) place.ordinal = -1;
  return place;
}

}  // namespace

void add_trtexec_options(CLI::App& app, TrtexecOptions& o, bool measures) {
  std::vector<CLI::Option*> options;
  auto add = [&](CLI::Option* option) { options.push_back(option); };
  for (const Ineffective& entry : kIneffective) {
    const std::string name = entry.names, first = name.substr(0, name.find(',')), reason = entry.reason;
    const auto note = [&o, first, reason](const std::string&) { o.without_effect[first] = reason; };
    if (entry.takes_value)
      add(app.add_option_function<std::string>(name, note, "No effect: " + placed(reason, "here")));
    else add(app.add_flag_callback(name, [note] { note(""); }, "No effect: " + placed(reason, "here")));
  }
  add(app.add_option("--sparsity", o.sparsity, "Permit tactics for 2:4 sparse weights: disable or enable")
          ->check(CLI::IsMember({"disable", "enable"})));
  add(app.add_option("--device", o.device,
                     "Device that runs the engine: its number among those of the back end (default: 0), or its name "
                     "(kiln list devices)"));
  add(app.add_flag("--dryRun", o.dry_run, "Check the options, read the model, and build nothing"));
  add(app.add_option("--tacticSources", o.tactic_sources,
                     "Libraries whose kernels may be chosen, +NAME,-NAME,… (default: all): CUBLAS_LT, CUDNN")
          ->check(check_sources()));
  if (measures) add_measuring_options(app, o, add);
  for (CLI::Option* option : options) option->group("trtexec");
}

void choose_device(const TrtexecOptions& o, BuildFlags& build, const std::string& engine, bool only_looks) {
  if (o.device.empty()) return;
  const auto refuse = [&](const std::string& why) {
    throw CLI::ValidationError("--device", "'" + o.device + "' " + why);
  };
  const Place place = parse_place(o.device);
  if (place.ordinal < 0) refuse("is no number and no name of a device, such as cpu or cuda:1");
  if (!build.device_profile.empty())
    refuse("does not go with --deviceProfile, whose device this machine need not have");
  std::string backend = engine.empty() ? build.backend : api::Engine::look(engine).backend();
  if (!place.backend.empty() && !backend.empty() && place.backend != backend)
    refuse(engine.empty() ? "is no device of --backend=" + backend
                          : "is no device of the engine's back end " + backend);
  if (only_looks) return;
  if (backend.empty()) backend = place.backend.empty() ? api::devices_tried().back().backend : place.backend;
  api::choose_device(backend, place.ordinal);
  if (engine.empty()) build.backend = backend;
}

void tell_device(const std::string& backend, api::Level level) {
  const std::vector<api::DeviceInfo> tried = api::devices_tried(backend);
  if (!tried.back().missing.empty()) return;  // the build says so
  const api::DeviceInfo& taken = tried.back();
  say(api::Level::kInfo, fmt::format("Device: {} (back end {}, {} unit{}{})", taken.name, taken.backend, taken.units,
                                     taken.units == 1 ? "" : "s", taken.host_memory ? ", memory of the host" : ""));
  std::vector<std::string> missing;
  for (const api::DeviceInfo& d : tried)
    if (!d.missing.empty()) missing.push_back(d.backend + ": " + d.missing);
  if (!missing.empty())
    log(level, "the engine is built for " + taken.name + " and measured there, for want of another device: " +
                   join(missing, "; ") + " (--backend=" + taken.backend + " says that this one is meant)");
}

void leave_out_sources(const TrtexecOptions& o, BuildFlags& build) {
  std::map<std::string, bool> wanted;
  for (const std::string& source : split(o.tactic_sources, ',')) wanted[source.substr(1)] = source[0] == '+';
  std::set<std::string> tactics;
  for (const std::string& backend : api::list_backends())
    for (const std::string& tactic : api::list_tactics(backend)) tactics.insert(tactic);
  for (const auto& [source, is_wanted] : wanted) {
    const std::string& tactic = kTacticSources.at(source);
    if (!is_wanted && tactics.count(tactic)) build.disable += (build.disable.empty() ? "" : ",") + tactic;
  }
}

void tell_without_effect(const TrtexecOptions& o, const api::Engine& engine) {
  std::map<std::string, std::string> by_reason;
  const auto note = [&](const std::string& name, const std::string& reason) {
    by_reason[reason] += (by_reason[reason].empty() ? "" : " ") + name;
  };
  for (const auto& [name, reason] : o.without_effect) note(name, reason);
  if (o.include_transfers && engine.on_host()) note("--includeDataTransfers", kNoCopies);
  if (o.exposes_copies && engine.on_host()) note("--exposeDMA", kNoCopies);
  else if (o.exposes_copies && !o.include_transfers)
    note("--exposeDMA", "nothing is copied without --includeDataTransfers");
  if (o.sparsity == "enable") note("--sparsity=enable", "permitted; {} no tactic uses sparse weights");
  for (const auto& [reason, names] : by_reason)
    say(api::Level::kInfo, names + ": " + placed(reason, "on the back end '" + engine.backend() + "'"));
}

}  // namespace kiln::tool
