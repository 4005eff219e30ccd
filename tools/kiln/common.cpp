// What the subcommands share.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "command.h"

namespace kiln::tool {
namespace {

bool verbose_output = false;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (start <= text.size() && !text.empty()) {
    const size_t end = std::min(text.find(separator, start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

std::vector<int64_t> parse_dims(const std::string& text) {
  std::vector<int64_t> dims;
  for (const std::string& part : split(text, 'x')) {
    size_t used = 0;
    int64_t value = -1;
    try {
      value = std::stoll(part, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != part.size() || value < 0)
      throw CLI::ValidationError("shapes", "'" + text + "' is not a shape like 1x3x224x224");
    dims.push_back(value);
  }
  return dims;
}

bool show_progress(size_t done, size_t total, const std::string& problem) {
  if (!isatty(STDERR_FILENO)) return true;
  const size_t width = 30, filled = total ? done * width / total : width;
  std::fputs(fmt::format("\r[{}{}] {}/{} {:.60}\033[K", std::string(filled, '#'), std::string(width - filled, '.'),
                         done, total, problem)
                 .c_str(),
             stderr);
  if (done == total) std::fputs("\r\033[K", stderr);
  return true;
}

void fill_shapes(const BuildFlags& flags, api::BuildOptions& options) {
  const Shapes low = parse_shapes(flags.min_shapes.empty() ? flags.shapes : flags.min_shapes),
               middle = parse_shapes(flags.opt_shapes.empty() ? flags.shapes : flags.opt_shapes),
               high = parse_shapes(flags.max_shapes.empty() ? flags.shapes : flags.max_shapes);
  for (const api::IoTensor& io : api::model_io(flags.onnx)) {
    if (!io.is_input) continue;
    auto given = [&](const Shapes& shapes, const Shapes& other) {
      if (auto it = shapes.find(io.name); it != shapes.end()) return it->second;
      if (auto it = other.find(io.name); it != other.end()) return it->second;
      return std::vector<int64_t>();
    };
    api::Bounds b{given(low, middle), given(middle, high), given(high, middle)};
    const bool dynamic = std::count(io.dims.begin(), io.dims.end(), -1) > 0;
    if (b.opt.empty() && dynamic) {
      std::vector<int64_t> ones = io.dims;
      std::replace(ones.begin(), ones.end(), int64_t{-1}, int64_t{1});
      say(api::Level::kWarning, "input '" + io.name + "' has dynamic dimensions and no shape; using " +
                                    shape_text(ones) + " (remedy: --shapes=" + io.name + ":…)");
      b = {ones, ones, ones};
    }
    if (!b.opt.empty()) options.shapes[io.name] = b;
  }
}

}  // namespace

void set_verbose(bool verbose) { verbose_output = verbose; }

void say(api::Level level, const std::string& text) {
  if (level == api::Level::kVerbose && !verbose_output) return;
  const bool loud = level <= api::Level::kWarning;
  std::FILE* out = loud ? stderr : stdout;
  const bool colour = isatty(fileno(out)) != 0;
  const char* tag = level <= api::Level::kError     ? "[E] "
                    : level == api::Level::kWarning ? "[W] "
                    : level == api::Level::kInfo    ? "[I] "
                                                    : "[V] ";
  const char* paint = !colour || !loud ? "" : level == api::Level::kWarning ? "\033[33m" : "\033[31m";
  std::fputs(fmt::format("{}{}{}{}\n", paint, tag, text, *paint ? "\033[0m" : "").c_str(), out);
  std::fflush(out);
}

std::map<std::string, std::string> parse_pairs(const std::string& text) {
  std::map<std::string, std::string> pairs;
  for (std::string part : split(text, ',')) {
    if (part.size() >= 2 && part.front() == '\'' && part.back() == '\'') part = part.substr(1, part.size() - 2);
    const size_t colon = part.rfind(':');
    if (colon == std::string::npos || colon == 0)
      throw CLI::ValidationError("names", "'" + part + "' is not name:value");
    pairs[part.substr(0, colon)] = part.substr(colon + 1);
  }
  return pairs;
}

Shapes parse_shapes(const std::string& text) {
  Shapes shapes;
  for (const auto& [name, dims] : parse_pairs(text))
    shapes[name] = dims == "scalar" ? std::vector<int64_t>() : parse_dims(dims);
  return shapes;
}

std::string shape_text(const std::vector<int64_t>& dims) {
  std::string text;
  for (int64_t d : dims) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text.empty() ? "scalar" : text;
}

void add_build_flags(CLI::App& app, BuildFlags& f) {
  app.add_option("--backend", f.backend, "Back end that runs the engine (see kiln list)");
  app.add_option("--minShapes", f.min_shapes, "Smallest shapes of dynamic inputs, name:1x3x8x8,…");
  app.add_option("--optShapes", f.opt_shapes, "Shapes that the engine is tuned for");
  app.add_option("--maxShapes", f.max_shapes, "Largest shapes");
  app.add_option("--shapes", f.shapes,
                 "Shapes of inputs: of the profile where no min, opt or max is given, and of the inference");
  app.add_option("--builderOptimizationLevel", f.level,
                 "0 takes the first tactic that fits, 5 measures all (default 3)")
      ->check(CLI::Range(0, 5));
  app.add_option("--avgTiming", f.average, "Measurements per tactic, at least (default 8)")->check(CLI::Range(1, 1000));
  app.add_option("--buildTime", f.build_time, "Seconds of measuring at most (default: no limit)");
  app.add_option("--timingCacheFile", f.timing_cache,
                 "File of measured times: read if it exists, written after the build");
  app.add_flag("--noTimingCache", f.no_timing_cache, "Measure every layer anew");
  app.add_option("--disable", f.disable,
                 "Rules and tactics to leave out, a,b,c (names: kiln list; onednn: all that use oneDNN)");
  app.add_option("--stop-after", f.stop_after, "Stop rewriting after this many patches, to bisect a fault");
  app.add_option("--dump", f.dump, "Print the graph after a stage: import, canonicalize, fuse, layout");
  app.add_option("--memPoolSize", f.memory, "Accepted for compatibility; memory is planned exactly and needs no limit");
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
  options.log = say;
  options.progress = show_progress;
  options.dump_stage = flags.dump;
  if (!flags.dump.empty()) options.dump = [](const std::string& text) { std::fputs(text.c_str(), stdout); };
  fill_shapes(flags, options);
  return api::Engine::build(options);
}

std::vector<int64_t> input_shape(const api::IoTensor& io, const Shapes& asked) {
  if (auto it = asked.find(io.name); it != asked.end()) return it->second;
  return io.bounds.opt;
}

api::HostTensor input_tensor(const api::IoTensor& io, const std::vector<int64_t>& dims,
                             const std::map<std::string, std::string>& files) {
  auto it = files.find(io.name);
  if (it == files.end()) return api::random_tensor(io.type, dims, std::hash<std::string>{}(io.name));
  if (it->second.ends_with(".npy") || it->second.ends_with(".pb")) return api::load_tensor(it->second);
  api::HostTensor tensor = api::random_tensor(io.type, dims, 0);
  std::FILE* file = std::fopen(it->second.c_str(), "rb");
  if (!file) throw api::Failure("error[K1004] cannot open '" + it->second + "'");
  const size_t read = std::fread(tensor.data.data(), 1, tensor.data.size(), file);
  const bool more = std::fgetc(file) != EOF;
  std::fclose(file);
  if (read != tensor.data.size() || more)
    throw api::Failure("error[K2005] '" + it->second + "' does not hold " + std::to_string(tensor.data.size()) +
                       " bytes, as input '" + io.name + "' needs");
  return tensor;
}

}  // namespace kiln::tool
