// Options of a build, and the build they ask for.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include "command.h"

namespace kiln::tool {
namespace {

// A bar on a terminal; elsewhere a line at each quarter.
class Progress {
 public:
  bool operator()(size_t done, size_t total, const std::string& problem) {
    if (isatty(STDERR_FILENO)) draw(done, total, problem);
    else if (const size_t quarter = total ? 4 * done / total : 4; quarter > quarter_) {
      quarter_ = quarter;
      std::fputs(fmt::format("tactics chosen for {} of {} problems\n", done, total).c_str(), stderr);
    }
    return true;
  }

 private:
  static void draw(size_t done, size_t total, const std::string& problem) {
    const size_t width = 30, filled = total ? done * width / total : width;
    std::fputs(fmt::format("\r[{}{}] {}/{} {:.60}\033[K", std::string(filled, '#'), std::string(width - filled, '.'),
                           done, total, problem)
                   .c_str(),
               stderr);
    if (done == total) std::fputs("\r\033[K", stderr);
  }
  size_t quarter_ = 0;
};

struct ParsedProfile {
  Shapes min, opt, max;
};

void check_names(const Shapes& shapes, const std::vector<api::IoTensor>& inputs) {
  std::vector<std::string> names;
  for (const api::IoTensor& io : inputs) names.push_back(io.name);
  for (const auto& [name, dims] : shapes)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw CLI::ValidationError("shapes", "the model has no input '" + name + "'" + did_you_mean(name, names));
}

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
        say(api::Level::kWarning, "input '" + io.name + "' has dynamic dimensions and no shape; using " +
                                      shape_text(ones) + " (remedy: --shapes=" + io.name + ":…)");
      opt = &ones;
    }
    profile[io.name] = {min ? *min : *opt, *opt, max ? *max : *opt};
  }
  return profile;
}

std::vector<api::Profile> make_profiles(const BuildFlags& flags) {
  const auto inputs = of_kind(api::model_io(flags.onnx), true);
  const Shapes shapes = parse_shapes(flags.shapes);
  check_names(shapes, inputs);
  std::vector<api::Profile> profiles;
  for (const BuildFlags::ProfileShapes& text : flags.profiles) {
    const ParsedProfile parsed{parse_shapes(text.min), parse_shapes(text.opt), parse_shapes(text.max)};
    for (const Shapes* part : {&parsed.min, &parsed.opt, &parsed.max}) check_names(*part, inputs);
    profiles.push_back(make_profile(parsed, shapes, inputs, profiles.empty()));
  }
  if (profiles.size() == 1 && profiles[0].empty()) profiles.clear();
  return profiles;
}

void select_profile(BuildFlags& flags, size_t profile) {
  if (profile > flags.profiles.size())
    throw CLI::ValidationError(
        "--profile", "profile " + std::to_string(profile) + " before profile " + std::to_string(flags.profiles.size()));
  flags.profile = profile;
  flags.profiles.resize(std::max(flags.profiles.size(), profile + 1));
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
  add(app.add_option("--backend", f.backend, "Back end that runs the engine (kiln list backends); default: the first"));
  add(app.add_option(
      "--shapes", f.shapes,
      "Shapes of inputs, name:1x3x8x8,…: of the profile where no min, opt or max is given, and of the inference"));
  add(app.add_option_function<size_t>(
             "--profile", [&f](const size_t& profile) { select_profile(f, profile); },
             "Optimisation profile that the min, opt and max shapes after it belong to (default 0)")
          ->trigger_on_parse());
  of_profile("--minShapes", &BuildFlags::ProfileShapes::min, "Smallest shapes of dynamic inputs, name:1x3x8x8,…");
  of_profile("--optShapes", &BuildFlags::ProfileShapes::opt, "Shapes that the engine is tuned for");
  of_profile("--maxShapes", &BuildFlags::ProfileShapes::max, "Largest shapes");
  add(app.add_option("--builderOptimizationLevel", f.level, "0 takes the first tactic that fits, 5 measures all")
          ->check(CLI::Range(0, 5))
          ->capture_default_str());
  add(app.add_option("--avgTiming", f.average, "Measurements per tactic, at least")
          ->check(CLI::Range(1, 1000))
          ->capture_default_str());
  add(app.add_option("--buildTime", f.build_time, "Seconds of measuring at most; 0: no limit")
          ->check(CLI::NonNegativeNumber)
          ->capture_default_str());
  add(app.add_option("--timingCacheFile", f.timing_cache,
                     "File of measured times: read if it exists, written after the build"));
  add(app.add_flag("--noTimingCache", f.no_timing_cache, "Measure every layer anew"));
  add(app.add_option("--disable", f.disable,
                     "Rules and tactics to leave out, a,b,c (names: kiln list; onednn: all that use oneDNN)"));
  add(app.add_option("--stop-after", f.stop_after, "Stop rewriting after this many patches, to bisect a fault; -1: all")
          ->capture_default_str());
  add(app.add_option("--dump", f.dump, "Print the graph after a stage")
          ->check(CLI::IsMember({"import", "canonicalize", "precision", "fuse", "layout", "final"})));
  add(app.add_option("--memPoolSize", f.memory,
                     "Accepted for compatibility; memory is planned exactly and needs no limit"));
  for (CLI::Option* option : options) option->group(kBuildGroup);
  app.add_flag("--verbose", f.verbose, "Log every decision");
}

api::Engine build_engine(const BuildFlags& flags) {
  set_verbose(flags.verbose);
  api::BuildOptions options;
  options.onnx = flags.onnx;
  options.backend = flags.backend;
  options.optimization_level = flags.level;
  options.average_iterations = flags.average;
  if (flags.build_time > 0) options.time_budget_s = flags.build_time;
  options.timing_cache = flags.timing_cache;
  options.use_timing_cache = !flags.no_timing_cache;
  options.stop_after = flags.stop_after;
  options.disabled = split(flags.disable, ',');
  options.keep_graph = flags.keep_graph;
  options.log = say;
  if (flags.quiet)
    options.log = [](api::Level level, const std::string& text) {
      say(level == api::Level::kInfo ? api::Level::kVerbose : level, text);
    };
  options.progress = Progress();
  options.dump_stage = flags.dump;
  if (!flags.dump.empty()) options.dump = [](const std::string& text) { std::fputs(text.c_str(), stdout); };
  options.profiles = make_profiles(flags);
  return api::Engine::build(options);
}

}  // namespace kiln::tool
